/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by steer.bpf.c and src/kernel/program/counters.rs. */
#ifndef STEER_ABI_H
#define STEER_ABI_H

/* Keys of the map `counters`; values are frames. */
enum steer_counter {
	STEER_REDIRECTED, /* to a socket */
	STEER_PASSED,     /* to the kernel: no socket, policy "pass" */
	STEER_DROPPED,    /* no socket and policy "drop", or a tag that could not be restored */
	STEER_COUNTERS,
};

#endif

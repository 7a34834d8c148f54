/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What steer.bpf.c and src/kernel/program.rs agree on. */
#ifndef STEER_ABI_H
#define STEER_ABI_H

/* Keys of the map `counters`; values are frames. */
enum steer_counter {
	STEER_REDIRECTED, /* to a socket */
	STEER_PASSED,     /* to the kernel: no socket, policy "pass" */
	STEER_DROPPED,    /* no socket and policy "drop", or a tag that could not be put back */
	STEER_COUNTERS,
};

#endif

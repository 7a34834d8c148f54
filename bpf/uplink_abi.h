/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by uplink.bpf.c and src/kernel/program: counters.rs, uplink.rs. */
#ifndef UPLINK_ABI_H
#define UPLINK_ABI_H

#include <linux/types.h>

/* Keys of the map `counters`; values are frames. The first three are as in steer_abi.h. */
enum uplink_counter {
	UPLINK_TUNNEL,   /* to a socket: from another tunnel endpoint to this host's */
	UPLINK_PASSED,   /* to the kernel: the host's own, or no socket */
	UPLINK_DROPPED,  /* a tag that could not be restored */
	UPLINK_PROVIDER, /* to a socket: of a provider network */
	UPLINK_COUNTERS,
};

/* Value of the map `selection`: the frames that belong to the switch. */
struct uplink_selection {
	__u64 vids[64];   /* bit VID % 64 of word VID / 64; VID 0: untagged and priority-tagged frames */
	__be32 local6[4]; /* this host's tunnel endpoint; all zero: none */
	__be32 local4;    /* the same for IPv4 */
	__u32 padding;
};

#endif

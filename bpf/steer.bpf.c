// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Redirects the frames of one port to AF_XDP sockets. One program per port, bound to its link.
//
// (The licence differs from the crate's because only GPL-compatible programs may call kfuncs of the kernel.)
//
// A frame is redirected to the socket of the queue that it arrived on. Without a socket, the port's policy applies. A
// tag that the sender's "hardware" carries beside the frame is restored first, so that user space finds the tag where
// the standard has it, and a guest cannot pass off an inner tag as its outermost.
#include "steer_abi.h"
#define COUNTERS STEER_COUNTERS
#include "steering.h"

const volatile __u32 no_socket_action = XDP_DROP; // set by user space before loading

// Restores a tag that travels beside the frame to its place after the addresses. Returns 0 when there is none or it is
// restored, less when it cannot be restored.
static __always_inline int restore_tag(struct xdp_md *ctx)
{
	// Initialized, because without CAP_PERFMON a program may not read an unwritten stack slot.
	__be16 tpid = 0;
	__u16 tci = 0;

	// No tag, or a link that never carries one beside the frame (a tap).
	if (bpf_xdp_metadata_rx_vlan_tag(ctx, &tpid, &tci))
		return 0;
	return push_tag(ctx, tpid, tci);
}

static __always_inline int steer_frame(struct xdp_md *ctx, int restore)
{
	__u32 queue = ctx->rx_queue_index;

	// Checked before the frame is changed: a frame that is passed to the kernel must be as it arrived.
	if (!bpf_map_lookup_elem(&sockets, &queue)) {
		count(no_socket_action == XDP_PASS ? STEER_PASSED : STEER_DROPPED);
		return no_socket_action;
	}
	if (restore && restore_tag(ctx)) {
		count(STEER_DROPPED);
		return XDP_DROP;
	}

	int action = bpf_redirect_map(&sockets, queue, XDP_DROP);

	count(action == XDP_REDIRECT ? STEER_REDIRECTED : STEER_DROPPED);
	return action;
}

// For native mode, bound to the link.
SEC("xdp.frags")
int steer(struct xdp_md *ctx)
{
	return steer_frame(ctx, 1);
}

// For generic mode, which has no bound programs: a tag beside the frame is not restored.
SEC("xdp.frags")
int steer_generic(struct xdp_md *ctx)
{
	return steer_frame(ctx, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";

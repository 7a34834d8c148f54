// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which socket gets this frame. One program per port, bound to its device.
//
// (The licence differs from the crate's because the kernel lends its kfuncs to GPL-compatible programs only.)
//
// A frame goes to the AF_XDP socket of the queue it arrived on. If there is none, the port's policy decides. A tag
// that the sender's "hardware" carries beside the frame is put back into it first, so that user space sees the tag
// where the standard has it, and a guest cannot show us an inner tag as its outermost.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "steer_abi.h"

#define ADDRESSES_LEN 12 // destination and source
#define TAG_LEN 4        // TPID and TCI

extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *proto, __u16 *tci) __ksym __weak;

const volatile __u32 no_socket_action = XDP_DROP; // set before loading

// By RX queue: its socket. User space writes and sizes it (one entry for each queue of the device).
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

// By enum steer_counter. We write, user space reads and sums the CPUs.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 counter)
{
	__u64 *frames = bpf_map_lookup_elem(&counters, &counter);

	if (frames)
		*frames += 1; // this CPU's own entry, and XDP does not nest
}

// Puts a tag that travels beside the frame back behind the addresses. Returns 0 when there is nothing (more) to do,
// less when the tag cannot be put back.
static __always_inline int restore_tag(struct xdp_md *ctx)
{
	// Set, because without CAP_PERFMON nobody may read a stack that was not written.
	__be16 tpid = 0;
	__u16 tci = 0;

	// No tag, or a device that never carries one beside the frame (a tap).
	if (bpf_xdp_metadata_rx_vlan_tag(ctx, &tpid, &tci))
		return 0;
	if (bpf_xdp_adjust_head(ctx, -TAG_LEN))
		return -1;

	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + ADDRESSES_LEN + TAG_LEN > end)
		return -1;
	__builtin_memmove(data, data + TAG_LEN, ADDRESSES_LEN);

	__be16 *tag = data + ADDRESSES_LEN;

	tag[0] = tpid;
	tag[1] = bpf_htons(tci);
	return 0;
}

static __always_inline int steer_frame(struct xdp_md *ctx, int restore)
{
	__u32 queue = ctx->rx_queue_index;

	// Asked before the frame is touched: what is passed on to the kernel must be as it came.
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

// For native mode. The kernel lends the kfunc to programs bound to a device only, whatever the call depends on.
SEC("xdp.frags")
int steer(struct xdp_md *ctx)
{
	return steer_frame(ctx, 1);
}

// For generic mode, which knows no bound programs: a tag beside the frame is lost.
SEC("xdp.frags")
int steer_generic(struct xdp_md *ctx)
{
	return steer_frame(ctx, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";

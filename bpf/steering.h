/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps and tags of the programs that redirect frames to AF_XDP sockets. COUNTERS, the number of a program's counters, is
 * defined before this file is included.
 */
#ifndef STEERING_H
#define STEERING_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define ADDRESSES_LEN 12 // destination and source
#define TAG_LEN 4        // TPID and TCI

// Reads the tag that a driver stores beside a frame. Only programs that are bound to a link may contain a call of it,
// reachable or not.
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *proto, __u16 *tci) __ksym __weak;

// By RX queue: its socket. User space writes it, and creates it with one entry for each queue of the link.
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

// By counter. The program writes, user space reads and sums the CPUs.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 counter)
{
	__u64 *frames = bpf_map_lookup_elem(&counters, &counter);

	if (frames)
		*frames += 1; // this CPU's own entry, and XDP does not nest
}

// Inserts a tag after the addresses. Returns less than 0 when the frame has no room for it.
static __always_inline int push_tag(struct xdp_md *ctx, __be16 tpid, __u16 tci)
{
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

#endif

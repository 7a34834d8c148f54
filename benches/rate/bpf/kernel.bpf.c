// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The job in the kernel with minimal cost: one table has the tag and the egress link for (ingress link, VID,
// destination). No flooding, no counters, no checksums.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define ADDRESSES_LEN 12
#define TAG_LEN 4
#define VID(tci) ((tci) & 0xfff)
#define FILTERED_VID 101 // of job.rs

struct key {
	__u32 ifindex;
	__u16 vid; // 0: untagged
	__u8 destination[ETH_ALEN];
};

struct next {
	__u32 ifindex;
	__u32 vid; // 0: untagged
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct key);
	__type(value, struct next);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} links SEC(".maps");

SEC("tc") int trunk_tc(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct key key = { .ifindex = skb->ifindex, .vid = skb->vlan_present ? VID(skb->vlan_tci) : 0 };

	if (data + ADDRESSES_LEN > end)
		return TC_ACT_SHOT;
	__builtin_memcpy(key.destination, data, ETH_ALEN);

	struct next *next = bpf_map_lookup_elem(&routes, &key);

	if (!next)
		return TC_ACT_SHOT;
	if (key.vid && bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	if (next->vid && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), next->vid))
		return TC_ACT_SHOT;
	return bpf_redirect(next->ifindex, 0);
}

// Ingress and egress of the parent's link in front of a bridge, for kernels without VLAN links.
SEC("tc") int strip_tc(struct __sk_buff *skb)
{
	return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc") int push_tc(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), FILTERED_VID) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("xdp") int trunk_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + ADDRESSES_LEN + 2 * TAG_LEN > end)
		return XDP_DROP;

	__be16 *tag = data + ADDRESSES_LEN;
	int tagged = tag[0] == bpf_htons(ETH_P_8021Q);
	struct key key = { .ifindex = ctx->ingress_ifindex, .vid = tagged ? VID(bpf_ntohs(tag[1])) : 0 };

	__builtin_memcpy(key.destination, data, ETH_ALEN);

	struct next *next = bpf_map_lookup_elem(&routes, &key);

	if (!next)
		return XDP_DROP;
	if (tagged) {
		__builtin_memmove(data + TAG_LEN, data, ADDRESSES_LEN);
		if (bpf_xdp_adjust_head(ctx, TAG_LEN))
			return XDP_DROP;
	}
	if (next->vid) {
		if (bpf_xdp_adjust_head(ctx, -TAG_LEN))
			return XDP_DROP;
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
		if (data + ADDRESSES_LEN + TAG_LEN > end)
			return XDP_DROP;
		__builtin_memmove(data, data + TAG_LEN, ADDRESSES_LEN);
		tag = data + ADDRESSES_LEN;
		tag[0] = bpf_htons(ETH_P_8021Q);
		tag[1] = bpf_htons(next->vid);
	}
	return bpf_redirect_map(&links, next->ifindex, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The far end: counts the frames that the job expects, and all others, and drops all of them.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define SIZES 3
#define ADDRESSES_LEN 12
#define TAG_LEN 4

// The expected frames; sink.rs writes it, at any time.
struct expected {
	__u32 lengths[SIZES]; // with tag, without FCS; 0: none
	__u32 first_vid;
	__u32 vids; // 0: untagged
};

struct expected expected;

// sink.rs reads it, and sums the CPUs.
struct counts {
	__u64 right[SIZES]; // by length
	__u64 wrong_length;
	__u64 wrong_tag;
	__u64 foreign; // not from a generator
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

static __always_inline void count(__u32 length, int tagged, __u32 vid, __be16 type)
{
	__u32 zero = 0;
	struct counts *seen = bpf_map_lookup_elem(&counts, &zero);

	if (!seen)
		return;
	if (type != bpf_htons(ETH_P_IP))
		seen->foreign++;
	else if (tagged ? vid - expected.first_vid >= expected.vids : expected.vids != 0)
		seen->wrong_tag++;
	else if (length == expected.lengths[0])
		seen->right[0]++;
	else if (length == expected.lengths[1])
		seen->right[1]++;
	else if (length == expected.lengths[2])
		seen->right[2]++;
	else
		seen->wrong_length++;
}

// For peers whose frames leave as socket buffers.
SEC("tc") int sink_tc(struct __sk_buff *skb)
{
	int tagged = skb->vlan_present; // the kernel has stripped the tag

	count(skb->len + (tagged ? TAG_LEN : 0), tagged && skb->vlan_proto == bpf_htons(ETH_P_8021Q),
	      skb->vlan_tci & 0xfff, skb->protocol);
	return TC_ACT_SHOT;
}

// For peers whose frames leave as XDP frames.
SEC("xdp") int sink_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be16 *words = data + ADDRESSES_LEN;

	if ((void *)(words + 3) > end)
		return XDP_DROP;

	int tagged = words[0] == bpf_htons(ETH_P_8021Q);

	count(end - data, tagged, bpf_ntohs(words[1]) & 0xfff, tagged ? words[2] : words[0]);
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";

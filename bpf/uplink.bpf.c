// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Redirects the switch's frames of an uplink to AF_XDP sockets: packets of other tunnel endpoints to this host's, and
// frames of provider networks. Passes all others to the kernel, for which the host goes on using the link; all frames,
// while their queue has no socket.
//
// A few comparisons at fixed offsets decide. A packet that they do not match (fragments, IPv4 options, IPv6 extension
// headers) reaches the tunnel's UDP socket by way of the kernel.
#include <linux/if_ether.h>
#include <linux/in.h>

#include "uplink_abi.h"
#define COUNTERS UPLINK_COUNTERS
#include "steering.h"

#define VXLAN_PORT 4789    // RFC 7348
#define GENEVE_PORT 6081   // RFC 8926
#define ETHERNET_IN_GRE 0x6558 // Transparent Ethernet Bridging (RFC 1701)

#define IPV4_LEN 20
#define IPV4_WITHOUT_OPTIONS 0x45 // version 4, five words
#define IPV4_FRAGMENT 0x3fff      // more fragments follow, or an offset
#define IPV6_LEN 40
#define VID_MASK 0xfff

// With the key 0: the frames that belong to the switch. User space replaces the value at any time. A frame that is
// matched while the value is being written may meet a part of each, and is then passed or redirected in error.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct uplink_selection);
} selection SEC(".maps");

// The second half-word of the header after IP: the destination port of UDP, the protocol type of GRE.
static __always_inline int is_encapsulation(__u8 protocol, __be16 second)
{
	if (protocol == IPPROTO_UDP)
		return second == bpf_htons(VXLAN_PORT) || second == bpf_htons(GENEVE_PORT);
	return protocol == IPPROTO_GRE && second == bpf_htons(ETHERNET_IN_GRE);
}

static __always_inline int is_tunnel4(const __u8 *ip, const void *end, const struct uplink_selection *selected)
{
	if ((const void *)(ip + IPV4_LEN + 4) > end || ip[0] != IPV4_WITHOUT_OPTIONS)
		return 0;

	__be32 to = *(const __be32 *)(ip + 16);

	return to && to == selected->local4 && !(*(const __be16 *)(ip + 6) & bpf_htons(IPV4_FRAGMENT)) &&
	       is_encapsulation(ip[9], *(const __be16 *)(ip + IPV4_LEN + 2));
}

static __always_inline int is_tunnel6(const __u8 *ip, const void *end, const struct uplink_selection *selected)
{
	if ((const void *)(ip + IPV6_LEN + 4) > end || ip[0] >> 4 != 6)
		return 0;

	const __be32 *to = (const __be32 *)(ip + 24);
	const __be32 *local = selected->local6;

	return (to[0] | to[1] | to[2] | to[3]) && to[0] == local[0] && to[1] == local[1] && to[2] == local[2] &&
	       to[3] == local[3] && is_encapsulation(ip[6], *(const __be16 *)(ip + IPV6_LEN + 2));
}

// Returns the counter of a frame, which is its kind. `tpid` is that of a tag beside the frame, or 0.
static __always_inline __u32 kind_of(struct xdp_md *ctx, const struct uplink_selection *selected, __be16 tpid,
				     __u16 tci)
{
	const void *data = (const void *)(long)ctx->data;
	const void *end = (const void *)(long)ctx->data_end;

	// A shorter one has no Ethernet type, or a tag that is cut.
	if (data + ETH_HLEN + TAG_LEN > end)
		return UPLINK_PASSED;

	__be16 type = *(const __be16 *)(data + 2 * ETH_ALEN);
	__u32 vid = 0;

	if (!tpid && type == bpf_htons(ETH_P_8021Q)) {
		tpid = type;
		tci = bpf_ntohs(*(const __be16 *)(data + ETH_HLEN));
	}
	if (tpid) {
		if (tpid != bpf_htons(ETH_P_8021Q))
			return UPLINK_PASSED;
		vid = tci & VID_MASK;
	} else if (type == bpf_htons(ETH_P_8021AD)) {
		return UPLINK_PASSED;
	} else if (type == bpf_htons(ETH_P_IP)) {
		if (is_tunnel4(data + ETH_HLEN, end, selected))
			return UPLINK_TUNNEL;
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		if (is_tunnel6(data + ETH_HLEN, end, selected))
			return UPLINK_TUNNEL;
	}
	return selected->vids[vid / 64] >> (vid % 64) & 1 ? UPLINK_PROVIDER : UPLINK_PASSED;
}

static __always_inline int uplink_frame(struct xdp_md *ctx, int is_bound)
{
	__u32 queue = ctx->rx_queue_index, key = 0, kind = UPLINK_PASSED;
	const struct uplink_selection *selected = bpf_map_lookup_elem(&selection, &key);
	// Initialized, because without CAP_PERFMON a program may not read an unwritten stack slot.
	__be16 tpid = 0;
	__u16 tci = 0;
	int action = XDP_PASS;

	if (selected && bpf_map_lookup_elem(&sockets, &queue)) {
		if (is_bound && bpf_xdp_metadata_rx_vlan_tag(ctx, &tpid, &tci))
			tpid = 0;
		kind = kind_of(ctx, selected, tpid, tci);
	}
	if (kind != UPLINK_PASSED) {
		// Only a frame for a socket is changed: one that is passed to the kernel must be as it arrived.
		if (is_bound && tpid && push_tag(ctx, tpid, tci))
			action = XDP_DROP;
		else
			action = bpf_redirect_map(&sockets, queue, is_bound && tpid ? XDP_DROP : XDP_PASS);
		if (action == XDP_DROP)
			kind = UPLINK_DROPPED;
		else if (action == XDP_PASS)
			kind = UPLINK_PASSED;
	}
	count(kind);
	return action;
}

// For links that store tags beside their frames (veth), bound to the link: `bpf/README.md` has the bound of its length.
SEC("xdp.frags")
int uplink_bound(struct xdp_md *ctx)
{
	return uplink_frame(ctx, 1);
}

// For links that leave tags in their frames.
SEC("xdp.frags")
int uplink(struct xdp_md *ctx)
{
	return uplink_frame(ctx, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";

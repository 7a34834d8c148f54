/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VLAN link for a guest whose kernel has no 8021q module. scripts/guest-vlan compiles this for one link and
 * attaches it; it is part of the test setup, not of the switch.
 *
 *     socket > NAME ===veth=== NAMEp > push: tag it, out by DEV
 *     socket < NAME ===veth=== NAMEp < pop:  untag it, if it has this VID < in by DEV
 *
 * The tag travels beside the frame (skb->vlan_tci), as a VLAN link of the kernel over a veth sends it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#ifndef TCI
#error "-DTCI=: PCP, DEI and VID of the frames sent; the VID of the frames received"
#endif
#ifndef DEV
#error "-DDEV=: ifindex of the link that carries the tagged frames"
#endif
#ifndef PEER
#error "-DPEER=: ifindex of NAMEp"
#endif

#define SEC(name) __attribute__((section(name), used))
#define VID(tci) ((tci) & 0xfff)

static long (*vlan_push)(struct __sk_buff *, __be16 proto, __u16 tci) = (void *)BPF_FUNC_skb_vlan_push;
static long (*vlan_pop)(struct __sk_buff *) = (void *)BPF_FUNC_skb_vlan_pop;
static long (*redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;

SEC("tc/push") int push(struct __sk_buff *skb)
{
	if (vlan_push(skb, __builtin_bswap16(ETH_P_8021Q), TCI))
		return TC_ACT_SHOT;
	return redirect(DEV, 0);
}

/* A frame with another tag, or none, continues to the next program of DEV, then to DEV itself. */
SEC("tc/pop") int pop(struct __sk_buff *skb)
{
	if (!skb->vlan_present || skb->vlan_proto != __builtin_bswap16(ETH_P_8021Q))
		return TC_ACT_UNSPEC;
	if (VID(skb->vlan_tci) != VID(TCI))
		return TC_ACT_UNSPEC;
	if (vlan_pop(skb))
		return TC_ACT_SHOT;
	return redirect(PEER, 0);
}

char _license[] SEC("license") = "Apache-2.0";

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Writes each frame of a job. BPF_PROG_TEST_RUN runs this over "live" frames, whose memory returns as the datapath under
// test has changed it: so every run writes the headers again.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define HEADER_LEN 48 // addresses, tag, type, IPv4 and UDP headers
#define SHAPES 12     // of the IMIX pattern

struct shape {
	__u32 trim; // bytes off the end of the longest frame
	__u8 header[HEADER_LEN];
};

// generator.rs writes it, before loading.
struct plan {
	__u32 ifindex;    // the link whose far end receives the frames
	__u32 vary_at;    // offset of the 16 bits, big-endian, that distinguish frames
	__u32 vary_from;  // their first value
	__u32 vary_count; // number of their values; at least 1
	__u32 shape_count;
	struct shape shapes[SHAPES];
};

const volatile struct plan plan;

__u32 serial; // one CPU runs this

SEC("xdp") int generate(struct xdp_md *ctx)
{
	__u32 number = serial++;
	__u32 index = number % plan.shape_count;

	if (index >= SHAPES)
		return XDP_ABORTED;

	const volatile struct shape *shape = &plan.shapes[index];
	__u32 trim = shape->trim;

	if (trim && bpf_xdp_adjust_tail(ctx, -(int)trim))
		return XDP_ABORTED;

	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + HEADER_LEN > (__u8 *)end)
		return XDP_ABORTED;
	__builtin_memcpy(data, (const void *)shape->header, HEADER_LEN);

	__u32 value = plan.vary_from + number % plan.vary_count;
	__u32 at = plan.vary_at;

	if (at > HEADER_LEN - 2)
		return XDP_ABORTED;
	data[at] = value >> 8;
	data[at + 1] = value;
	return bpf_redirect(plan.ifindex, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";

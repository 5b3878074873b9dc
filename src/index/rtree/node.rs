//! The tests of 16 boxes at once: AVX2 where the processor has it, SSE2 on every other x86-64, NEON on 64-bit ARM.
//!
//! The one place of the indices with `unsafe` code: calls of functions for a processor feature, and hints to the cache.
#![allow(unsafe_code)]

use super::FAN_OUT;
use crate::index::grid::Steps;

/// A node: the western, southern, eastern and northern edges of its boxes.
pub(super) type Node = [[u32; FAN_OUT]; 4];

/// What is done with a node; one implementation for each set of instructions. Bit `i` of a result is box `i`.
pub(super) trait Engine {
    /// Runs `work` as code for this engine's instructions, so that the tests below become part of it.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "others need no detection"))]
    fn run<R>(work: impl FnOnce() -> R) -> R;
    /// Boxes that overlap or touch the query, and of those the ones strictly inside it, whose edges don't touch the query's.
    fn inner(node: &Node, q: &Steps) -> (u32, u32);
    /// Boxes that overlap or touch the query, and of those the ones that overlap it by a step or more.
    fn leaf(node: &Node, q: &Steps) -> (u32, u32);
}

/// Runs `work` as code for the widest instructions that the processor has: plain loops over a node's boxes become vectors.
#[inline]
pub(super) fn with_widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        return Avx2::run(work);
    }
    Always::run(work)
}

/// Requests the four cache lines of a node.
#[inline(always)]
pub(super) fn prefetch(node: Option<&Node>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(node) = node {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for array in node {
            // SAFETY: a hint; the address is that of a reference, and nothing is read.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(array.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = node;
}

#[cfg(target_arch = "aarch64")]
pub(super) use Neon as Always;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use Plain as Always;
/// What every processor of this kind has.
#[cfg(target_arch = "x86_64")]
pub(super) use Sse2 as Always;

/// Without special instructions.
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), allow(dead_code, reason = "a reference for tests"))]
pub(super) struct Plain;

impl Engine for Plain {
    #[inline(always)]
    fn run<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    #[inline(always)]
    fn inner([west, south, east, north]: &Node, q: &Steps) -> (u32, u32) {
        let (mut touch, mut inside) = (0, 0);
        for i in 0..FAN_OUT {
            let t = (west[i] <= q.max_x) & (south[i] <= q.max_y) & (east[i] >= q.min_x) & (north[i] >= q.min_y);
            let n = (west[i] > q.min_x) & (south[i] > q.min_y) & (east[i] < q.max_x) & (north[i] < q.max_y);
            touch |= u32::from(t) << i;
            inside |= u32::from(n) << i;
        }
        (touch, inside)
    }

    #[inline(always)]
    fn leaf([west, south, east, north]: &Node, q: &Steps) -> (u32, u32) {
        let (mut touch, mut sure) = (0, 0);
        for i in 0..FAN_OUT {
            let t = (west[i] <= q.max_x) & (south[i] <= q.max_y) & (east[i] >= q.min_x) & (north[i] >= q.min_y);
            let s = (west[i] < q.max_x) & (south[i] < q.max_y) & (east[i] > q.min_x) & (north[i] > q.min_y);
            touch |= u32::from(t) << i;
            sure |= u32::from(s) << i;
        }
        (touch, sure)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Sse2};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Engine, FAN_OUT, Node, Steps};
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_and_si128, _mm_castsi128_ps, _mm_cmpgt_epi32, _mm_movemask_ps, _mm_or_si128,
        _mm_set1_epi32, _mm_xor_si128, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_max_epu32,
        _mm256_min_epu32, _mm256_movemask_ps, _mm256_or_si256, _mm256_set1_epi32,
    };

    /// 256-bit integers; in most x86-64 processors since 2013.
    pub(in super::super) struct Avx2;

    impl Engine for Avx2 {
        #[inline(always)]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            // SAFETY: this engine is only used where the processor was seen to have AVX2.
            unsafe { run_avx2(work) }
        }

        #[inline(always)]
        fn inner(node: &Node, q: &Steps) -> (u32, u32) {
            // SAFETY: as above.
            unsafe { inner_avx2(node, q) }
        }

        #[inline(always)]
        fn leaf(node: &Node, q: &Steps) -> (u32, u32) {
            // SAFETY: as above.
            unsafe { leaf_avx2(node, q) }
        }
    }

    #[target_feature(enable = "avx2")]
    fn run_avx2<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn splat(value: u32) -> __m256i {
        _mm256_set1_epi32(value.cast_signed())
    }

    /// `a <= b`, unsigned.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn le(a: __m256i, b: __m256i) -> __m256i {
        _mm256_cmpeq_epi32(_mm256_min_epu32(a, b), a)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask(v: __m256i) -> u32 {
        _mm256_movemask_ps(_mm256_castsi256_ps(v)).cast_unsigned()
    }

    /// Edges of eight boxes, and the masks of: touching the query; having an edge on or beyond the query's from inside.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn halves(node: &Node) -> [[__m256i; 4]; 2] {
        let [w, s, e, n]: [[__m256i; 2]; 4] = node.map(bytemuck::cast::<[u32; FAN_OUT], [__m256i; 2]>);
        [[w[0], s[0], e[0], n[0]], [w[1], s[1], e[1], n[1]]]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn touching([w, s, e, n]: [__m256i; 4], [qw, qs, qe, qn]: [__m256i; 4]) -> u32 {
        let x = _mm256_and_si256(le(w, qe), le(qw, e));
        let y = _mm256_and_si256(le(s, qn), le(qs, n));
        mask(_mm256_and_si256(x, y))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn query(q: &Steps) -> [__m256i; 4] {
        [splat(q.min_x), splat(q.min_y), splat(q.max_x), splat(q.max_y)]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn inner_avx2(node: &Node, q: &Steps) -> (u32, u32) {
        let q = query(q);
        let [low, high] = halves(node);
        let touch = touching(low, q) | touching(high, q) << 8;
        if touch == 0 {
            return (0, 0);
        }
        (touch, !(outside(low, q) | outside(high, q) << 8) & 0xffff)
    }

    /// Boxes that are not strictly inside.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn outside([w, s, e, n]: [__m256i; 4], [qw, qs, qe, qn]: [__m256i; 4]) -> u32 {
        let x = _mm256_or_si256(le(w, qw), le(qe, e));
        let y = _mm256_or_si256(le(s, qs), le(qn, n));
        mask(_mm256_or_si256(x, y))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn leaf_avx2(node: &Node, q: &Steps) -> (u32, u32) {
        let q = query(q);
        let [low, high] = halves(node);
        let touch = touching(low, q) | touching(high, q) << 8;
        if touch == 0 {
            return (0, 0);
        }
        (touch, !(doubtful(low, q) | doubtful(high, q) << 8) & 0xffff)
    }

    /// `a >= b`, unsigned.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn ge(a: __m256i, b: __m256i) -> __m256i {
        _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a)
    }

    /// Boxes that touch the query with an edge, or lie outside.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn doubtful([w, s, e, n]: [__m256i; 4], [qw, qs, qe, qn]: [__m256i; 4]) -> u32 {
        let x = _mm256_or_si256(ge(w, qe), le(e, qw));
        let y = _mm256_or_si256(ge(s, qn), le(n, qs));
        mask(_mm256_or_si256(x, y))
    }

    /// 128-bit integers: what every x86-64 processor has.
    pub(in super::super) struct Sse2;

    impl Engine for Sse2 {
        #[inline(always)]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            work()
        }

        #[inline(always)]
        fn inner(node: &Node, q: &Steps) -> (u32, u32) {
            // SAFETY: every x86-64 processor has SSE2.
            unsafe { inner_sse2(node, q) }
        }

        #[inline(always)]
        fn leaf(node: &Node, q: &Steps) -> (u32, u32) {
            // SAFETY: as above.
            unsafe { leaf_sse2(node, q) }
        }
    }

    /// Turns unsigned order into signed order, the only one that SSE2 compares.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn signed(v: u32) -> __m128i {
        _mm_set1_epi32((v ^ 0x8000_0000).cast_signed())
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn quarter(node: &Node, i: usize) -> [__m128i; 4] {
        let bias = _mm_set1_epi32(i32::MIN);
        let [w, s, e, n]: [[__m128i; 4]; 4] = node.map(bytemuck::cast::<[u32; FAN_OUT], [__m128i; 4]>);
        [_mm_xor_si128(w[i], bias), _mm_xor_si128(s[i], bias), _mm_xor_si128(e[i], bias), _mm_xor_si128(n[i], bias)]
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn mask4(v: __m128i) -> u32 {
        _mm_movemask_ps(_mm_castsi128_ps(v)).cast_unsigned()
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn any(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> u32 {
        mask4(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn gt(a: __m128i, b: __m128i) -> __m128i {
        _mm_cmpgt_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn all(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> u32 {
        mask4(_mm_and_si128(_mm_and_si128(a, b), _mm_and_si128(c, d)))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn inner_sse2(node: &Node, q: &Steps) -> (u32, u32) {
        let [qw, qs, qe, qn] = [signed(q.min_x), signed(q.min_y), signed(q.max_x), signed(q.max_y)];
        let (mut apart, mut inside) = (0, 0);
        for i in 0..4 {
            let [w, s, e, n] = quarter(node, i);
            apart |= any(gt(w, qe), gt(qw, e), gt(s, qn), gt(qs, n)) << (4 * i);
            inside |= all(gt(w, qw), gt(qe, e), gt(s, qs), gt(qn, n)) << (4 * i);
        }
        (!apart & 0xffff, inside)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn leaf_sse2(node: &Node, q: &Steps) -> (u32, u32) {
        let [qw, qs, qe, qn] = [signed(q.min_x), signed(q.min_y), signed(q.max_x), signed(q.max_y)];
        let (mut apart, mut sure) = (0, 0);
        for i in 0..4 {
            let [w, s, e, n] = quarter(node, i);
            apart |= any(gt(w, qe), gt(qw, e), gt(s, qn), gt(qs, n)) << (4 * i);
            sure |= all(gt(qe, w), gt(e, qw), gt(qn, s), gt(n, qs)) << (4 * i);
        }
        (!apart & 0xffff, sure)
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) use arm::Neon;

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{Engine, FAN_OUT, Node, Steps};
    use std::arch::aarch64::{uint32x4_t, vaddvq_u32, vandq_u32, vcgtq_u32, vcleq_u32, vdupq_n_u32, vld1q_u32};

    /// 128-bit integers: what every 64-bit ARM processor has.
    pub(in super::super) struct Neon;

    impl Engine for Neon {
        #[inline(always)]
        fn run<R>(work: impl FnOnce() -> R) -> R {
            work()
        }

        #[inline(always)]
        fn inner(node: &Node, q: &Steps) -> (u32, u32) {
            // SAFETY: every 64-bit ARM processor that Rust's standard library runs on has NEON.
            unsafe { masks::<true>(node, q) }
        }

        #[inline(always)]
        fn leaf(node: &Node, q: &Steps) -> (u32, u32) {
            // SAFETY: as above.
            unsafe { masks::<false>(node, q) }
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn load(array: &[u32; 4]) -> uint32x4_t {
        // SAFETY: four values are there.
        unsafe { vld1q_u32(array.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn all(a: uint32x4_t, b: uint32x4_t, c: uint32x4_t, d: uint32x4_t) -> u32 {
        vaddvq_u32(vandq_u32(vandq_u32(vandq_u32(a, b), vandq_u32(c, d)), load(&[1, 2, 4, 8])))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn masks<const INNER: bool>(node: &Node, q: &Steps) -> (u32, u32) {
        let [west, south, east, north] = node.map(bytemuck::cast::<[u32; FAN_OUT], [[u32; 4]; 4]>);
        let [qw, qs] = [vdupq_n_u32(q.min_x), vdupq_n_u32(q.min_y)];
        let [qe, qn] = [vdupq_n_u32(q.max_x), vdupq_n_u32(q.max_y)];
        let (mut touch, mut second) = (0, 0);
        for i in 0..4 {
            let (w, s, e, n) = (load(&west[i]), load(&south[i]), load(&east[i]), load(&north[i]));
            touch |= all(vcleq_u32(w, qe), vcleq_u32(s, qn), vcleq_u32(qw, e), vcleq_u32(qs, n)) << (4 * i);
            second |= if INNER {
                all(vcgtq_u32(w, qw), vcgtq_u32(s, qs), vcgtq_u32(qe, e), vcgtq_u32(qn, n))
            } else {
                all(vcgtq_u32(qe, w), vcgtq_u32(qn, s), vcgtq_u32(e, qw), vcgtq_u32(n, qs))
            } << (4 * i);
        }
        (touch, second)
    }
}

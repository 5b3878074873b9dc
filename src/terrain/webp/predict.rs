//! The spatial predictors (RFC 9649, 3.5.1). A pixel is four bytes: blue, green, red, alpha.

#[inline]
fn average(a: u8, b: u8) -> u8 {
    (a & b) + ((a ^ b) >> 1)
}

#[inline]
fn clamp_full(l: u8, t: u8, tl: u8) -> u8 {
    (i16::from(l) + i16::from(t) - i16::from(tl)).clamp(0, 255) as u8
}

#[inline]
fn clamp_half(a: u8, b: u8) -> u8 {
    let (a, b) = (i16::from(a), i16::from(b));
    let d = a - b;
    // Halved towards zero.
    (a + ((d - (d >> 15)) >> 1)).clamp(0, 255) as u8
}

/// Residuals of the pixels from byte `at` of the image on, as many as `out` has room for. They lie in one row, not the first one, and
/// not in the first column.
pub(super) fn residuals(mode: u8, image: &[u8], row_bytes: usize, at: usize, out: &mut [u8]) {
    let n = out.len();
    let cur = &image[at..at + n];
    let l = &image[at - 4..at - 4 + n];
    let t = &image[at - row_bytes..at - row_bytes + n];
    let tl = &image[at - row_bytes - 4..at - row_bytes - 4 + n];
    let tr = &image[at - row_bytes + 4..at - row_bytes + 4 + n];
    macro_rules! each {
        (|$($name:ident),+| $predicted:expr) => {
            for i in 0..n {
                $(let $name = $name[i];)+
                out[i] = cur[i].wrapping_sub($predicted);
            }
        };
    }
    match mode {
        0 => {
            out.copy_from_slice(cur);
            for alpha in out.iter_mut().skip(3).step_by(4) {
                *alpha = alpha.wrapping_sub(255);
            }
        }
        1 => each!(|l| l),
        2 => each!(|t| t),
        3 => each!(|tr| tr),
        4 => each!(|tl| tl),
        5 => each!(|l, t, tr| average(average(l, tr), t)),
        6 => each!(|l, tl| average(l, tl)),
        7 => each!(|l, t| average(l, t)),
        8 => each!(|tl, t| average(tl, t)),
        9 => each!(|t, tr| average(t, tr)),
        10 => each!(|l, tl, t, tr| average(average(l, tl), average(t, tr))),
        11 => select(cur, l, t, tl, out),
        12 => each!(|l, t, tl| clamp_full(l, t, tl)),
        _ => each!(|l, t, tl| clamp_half(average(l, t), tl)),
    }
}

/// The left or the upper pixel, whichever is closer to `l + t - tl`.
fn select(cur: &[u8], l: &[u8], t: &[u8], tl: &[u8], out: &mut [u8]) {
    const STEP: usize = 128;
    let mut to_left = [0u8; STEP];
    let mut to_top = [0u8; STEP];
    let mut from = 0;
    let n = out.len();
    while from < n {
        let m = STEP.min(n - from);
        let (cur, l, t, tl) = (&cur[from..from + m], &l[from..from + m], &t[from..from + m], &tl[from..from + m]);
        for i in 0..m {
            to_left[i] = t[i].abs_diff(tl[i]);
            to_top[i] = l[i].abs_diff(tl[i]);
        }
        let out = &mut out[from..from + m];
        for ((((out, cur), (l, t)), to_left), to_top) in out
            .chunks_exact_mut(4)
            .zip(cur.chunks_exact(4))
            .zip(l.chunks_exact(4).zip(t.chunks_exact(4)))
            .zip(to_left.chunks_exact(4))
            .zip(to_top.chunks_exact(4))
        {
            let sum = |d: &[u8]| {
                let d = u32::from_le_bytes([d[0], d[1], d[2], d[3]]);
                let pairs = (d & 0x00ff_00ff) + ((d >> 8) & 0x00ff_00ff);
                (pairs & 0xffff) + (pairs >> 16)
            };
            let word = |p: &[u8]| u32::from_le_bytes([p[0], p[1], p[2], p[3]]);
            let mask = if sum(to_left) < sum(to_top) { u32::MAX } else { 0 };
            let p = (word(l) & mask) | (word(t) & !mask);
            out.copy_from_slice(&subtract(word(cur), p).to_le_bytes());
        }
        from += m;
    }
}

/// The difference of each byte.
#[inline]
pub(super) fn subtract(a: u32, b: u32) -> u32 {
    ((a | 0x8080_8080) - (b & 0x7f7f_7f7f)) ^ ((a ^ !b) & 0x8080_8080)
}

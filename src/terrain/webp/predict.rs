//! The spatial predictors (RFC 9649, 3.5.1). A pixel is four bytes: blue, green, red, alpha.

#[inline]
fn average(a: u8, b: u8) -> u8 {
    (a & b) + ((a ^ b) >> 1)
}

#[inline]
fn clamp_full(l: u8, t: u8, tl: u8) -> u8 {
    // One of the differences is 0, so that this is `l + t - tl`, clamped.
    l.saturating_add(t.saturating_sub(tl)).saturating_sub(tl.saturating_sub(t))
}

#[inline]
fn clamp_half(a: u8, b: u8) -> u8 {
    // Halved towards zero.
    a.saturating_add(a.saturating_sub(b) >> 1).saturating_sub(b.saturating_sub(a) >> 1)
}

/// Residuals of the pixels from `at` of the image on, as many as `out` has room for. They lie in one row, not the first one, and not in
/// the first column.
pub(super) fn residuals(mode: u8, image: &[u32], width: usize, at: usize, out: &mut [u32]) {
    let n = out.len();
    let from = |start: usize| &image[start..start + n];
    let (cur, l) = (from(at), from(at - 1));
    let (t, tl, tr) = (from(at - width), from(at - width - 1), from(at - width + 1));
    if mode == 11 {
        return select(cur, l, t, tl, out);
    }
    let [cur, l, t, tl, tr]: [&[u8]; 5] = [cur, l, t, tl, tr].map(bytemuck::cast_slice);
    let out: &mut [u8] = bytemuck::cast_slice_mut(out);
    macro_rules! each {
        (|$($name:ident),+| $predicted:expr) => {{
            $(let $name = &$name[..out.len()];)+
            let cur = &cur[..out.len()];
            for i in 0..out.len() {
                $(let $name = $name[i];)+
                out[i] = cur[i].wrapping_sub($predicted);
            }
        }};
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
        12 => each!(|l, t, tl| clamp_full(l, t, tl)),
        _ => each!(|l, t, tl| clamp_half(average(l, t), tl)),
    }
}

/// The left or the upper pixel, whichever is closer to `l + t - tl`.
fn select(cur: &[u32], l: &[u32], t: &[u32], tl: &[u32], out: &mut [u32]) {
    const STEP: usize = 64;
    let mut to_left = [0u32; STEP];
    let mut to_top = [0u32; STEP];
    let each = out.chunks_mut(STEP).zip(cur.chunks(STEP)).zip(l.chunks(STEP)).zip(t.chunks(STEP)).zip(tl.chunks(STEP));
    for ((((out, cur), l), t), tl) in each {
        distances(t, tl, &mut to_left);
        distances(l, tl, &mut to_top);
        let pixels = out.iter_mut().zip(cur).zip(l.iter().zip(t)).zip(to_left.iter().zip(&to_top));
        for (((out, &cur), (&l, &t)), (&to_left, &to_top)) in pixels {
            let left = u32::from(sum(to_left) < sum(to_top)).wrapping_neg();
            *out = subtract(cur, t ^ ((l ^ t) & left));
        }
    }
}

/// The distance of each byte.
fn distances(a: &[u32], b: &[u32], out: &mut [u32]) {
    let (a, b): (&[u8], &[u8]) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
    let out: &mut [u8] = bytemuck::cast_slice_mut(&mut out[..a.len() / 4]);
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a.abs_diff(*b);
    }
}

/// The sum of four bytes.
#[inline]
fn sum(bytes: u32) -> i32 {
    let pairs = (bytes & 0x00ff_00ff) + ((bytes >> 8) & 0x00ff_00ff);
    ((pairs & 0xffff) + (pairs >> 16)) as i32
}

/// The difference of each byte.
#[inline]
pub(super) fn subtract(a: u32, b: u32) -> u32 {
    ((a | 0x8080_8080) - (b & 0x7f7f_7f7f)) ^ ((a ^ !b) & 0x8080_8080)
}

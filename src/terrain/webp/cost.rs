//! Costs in bits, as whole numbers, so that every machine decides alike.

/// How many steps a bit has.
pub(super) const BIT: u32 = 64;

const MANTISSA: u32 = 9;

/// `log2` of a mantissa in steps of 1/64 bit.
static LOG2: [u16; 1 << MANTISSA] = table();

const fn table() -> [u16; 1 << MANTISSA] {
    let mut table = [0; 1 << MANTISSA];
    let mut i = 0;
    while i < table.len() {
        // x in [1, 2) with 30 fraction bits; each squaring gives one more bit of the logarithm.
        let mut x = (1u64 << 30) + ((i as u64) << (30 - MANTISSA));
        let mut log = 0u16;
        let mut bit = 0;
        while bit < 7 {
            x = (x * x) >> 30;
            log <<= 1;
            if x >= 2 << 30 {
                log |= 1;
                x >>= 1;
            }
            bit += 1;
        }
        table[i] = (log + 1) >> 1;
        i += 1;
    }
    table
}

/// `log2(n)` in steps of 1/64 bit; 0 for 0.
#[inline]
pub(super) fn log2(n: u32) -> u32 {
    if n == 0 {
        return 0;
    }
    let exponent = n.ilog2();
    let mantissa = if exponent >= MANTISSA { n >> (exponent - MANTISSA) } else { n << (MANTISSA - exponent) };
    exponent * BIT + u32::from(LOG2[(mantissa & ((1 << MANTISSA) - 1)) as usize])
}

/// What anything costs where nothing was counted: so much that nothing is put there.
const DEAR: u32 = 20 * BIT;

/// `log2` of a sum of counts; [`DEAR`] where there are none.
pub(super) fn log2_of_all(total: u32) -> u32 {
    if total == 0 { DEAR } else { log2(total) }
}

/// The cost of each symbol by its count, no less than a bit; what never occurred costs a bit more than what occurred once.
pub(super) fn costs(counts: &[u32], costs: &mut [u16]) {
    let all = log2_of_all(counts.iter().sum());
    for (cost, &count) in costs.iter_mut().zip(counts) {
        *cost = if count == 0 { all + BIT } else { (all - log2(count)).max(BIT) } as u16;
    }
}

/// The bits that the counts take, in steps of 1/64 bit.
pub(super) fn entropy(counts: &[u32]) -> u64 {
    let total: u32 = counts.iter().sum();
    let all = log2(total);
    counts.iter().filter(|&&c| c > 0).map(|&c| u64::from(c) * u64::from(all - log2(c))).sum()
}

/// [`entropy`] of the sums of two lists of counts.
pub(super) fn entropy_of_sum(a: &[u32], b: &[u32]) -> u64 {
    let total: u32 = a.iter().chain(b).sum();
    let all = log2(total);
    a.iter().zip(b).map(|(a, b)| a + b).filter(|&c| c > 0).map(|c| u64::from(c) * u64::from(all - log2(c))).sum()
}

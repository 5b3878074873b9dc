//! Made-up records, about 8 KB each: molecules as a spectrum, a graph and some numbers.

use super::Random;

/// Numbers of a spectrum.
pub const SPECTRUM: usize = 700;
/// Numbers that describe an atom: which element it is and the like, mostly one of several.
pub const NODE_FEATURES: usize = 24;
/// Numbers that describe a bond.
pub const EDGE_FEATURES: usize = 12;
pub const CLASSES: [&str; 5] = ["alkaloid", "flavonoid", "lipid", "peptide", "terpenoid"];

/// A record as a program has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    pub id: u64,
    pub class: String,
    pub mass: f32,
    /// Intensities, 0 to 1.
    pub spectrum: Vec<f32>,
    /// `NODE_FEATURES` numbers for each atom.
    pub nodes: Vec<f32>,
    /// The atoms of each bond, there and back.
    pub edge_index: Vec<[u32; 2]>,
    /// `EDGE_FEATURES` numbers for each entry of `edge_index`.
    pub edges: Vec<f32>,
}

/// The record with this number; always the same. Ids ascend, with gaps.
pub fn record(number: u64) -> Record {
    let mut random = Random(number ^ 0x5eed);
    let atoms = 12 + random.below(22) as usize;
    let mut out = Record {
        id: 100_000 + number * 2 + random.below(2),
        class: CLASSES[random.below(5) as usize].to_owned(),
        mass: (atoms as f64 * 12.011 + random.unit() * 40.0) as f32,
        ..Record::default()
    };
    // Some peaks and noise, as a converter of 12 bits sees them.
    let mut intensities = [0.0f64; SPECTRUM];
    for _ in 0..10 + random.below(30) {
        let (centre, width, height) =
            (random.unit() * SPECTRUM as f64, random.between(0.8, 3.0), random.unit().powi(2));
        let (from, to) = ((centre - 4.0 * width).max(0.0) as usize, (centre + 4.0 * width) as usize);
        for (at, value) in intensities.iter_mut().enumerate().take(to.min(SPECTRUM)).skip(from) {
            *value += height * (-0.5 * ((at as f64 - centre) / width).powi(2)).exp();
        }
    }
    let measured = |value: f64, noise: f64| ((value + 0.003 * noise).clamp(0.0, 1.0) * 4095.0).round() as f32 / 4095.0;
    out.spectrum = intensities.iter().map(|&value| measured(value, random.normal().abs())).collect();
    for atom in 0..atoms {
        let mut features = [0.0; NODE_FEATURES];
        // Element, number of neighbours, hybridisation, flags, and two numbers that are computed.
        features[random.below(8).min(random.below(8)) as usize] = 1.0;
        features[8 + random.below(5) as usize] = 1.0;
        features[13 + random.below(4) as usize] = 1.0;
        (17..22).for_each(|flag| features[flag] = f32::from(u8::from(random.chance(0.2))));
        features[22] = random.normal() as f32 * 0.2;
        features[23] = (12.0 + random.below(20) as f32) / 100.0;
        out.nodes.extend(features);
        // A chain with rings: bonds to the atom before, and to an earlier one now and then.
        let ring = (atom > 5 && random.chance(0.25)).then(|| atom - 5);
        for other in atom.checked_sub(1).into_iter().chain(ring) {
            let mut features = [0.0; EDGE_FEATURES];
            features[random.below(4).min(random.below(4)) as usize] = 1.0;
            (4..10).for_each(|flag| features[flag] = f32::from(u8::from(random.chance(0.3))));
            features[10] = 1.2 + random.unit() as f32 * 0.4;
            features[11] = features[10].recip();
            let (a, b) = (atom as u32, other as u32);
            out.edge_index.extend([[a, b], [b, a]]);
            out.edges.extend(features.iter().chain(&features));
        }
    }
    out
}

impl Record {
    /// The arrays as one row of bytes: three counts and a zero, then spectrum, nodes, edge index and edges, each number in
    /// four bytes, filled up to a multiple of eight. So that a row can be used where it lies, numbers and all.
    pub fn to_bytes(&self) -> Vec<u8> {
        let counts =
            [self.spectrum.len() as u32, (self.nodes.len() / NODE_FEATURES) as u32, self.edge_index.len() as u32, 0];
        let mut bytes = Vec::with_capacity(16 + 4 * (self.spectrum.len() + self.nodes.len() + self.edges.len()));
        counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
        let put = |bytes: &mut Vec<u8>, numbers: &[f32]| {
            numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        };
        put(&mut bytes, &self.spectrum);
        put(&mut bytes, &self.nodes);
        self.edge_index.iter().flatten().for_each(|atom| bytes.extend_from_slice(&atom.to_le_bytes()));
        put(&mut bytes, &self.edges);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }
}

//! A made-up drive, and what a receiver would have written down of it.

use hypso::Result;

use super::{Network, Random};

/// Positions, and the edges that were driven.
#[derive(Debug, Clone)]
pub struct Trace {
    pub points: Vec<(f64, f64)>,
    pub edges: Vec<u32>,
}

/// Drives along some edges without turning back, over at least so many metres where no dead end comes first, and writes a
/// position down every 20 m or so, each off by `noise` metres (standard deviation).
pub fn drive(network: &Network<'_>, random: &mut Random, metres: f64, noise: f64) -> Result<Trace> {
    let mut trace = Trace { points: Vec::new(), edges: Vec::new() };
    let mut edge = random.below(network.edges() as u64) as u32;
    let (mut driven, mut rest) = (0.0, 0.0);
    loop {
        trace.edges.push(edge);
        driven += f64::from(network.length(edge));
        let mut line: Vec<_> = network.line(network.road(edge).unwrap_or(u32::MAX))?.collect();
        if network.is_backwards(edge) {
            line.reverse();
        }
        for pair in line.windows(2) {
            let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
            let length = (bx - ax).hypot(by - ay);
            while rest < length {
                let t = rest / length;
                let (x, y) = (ax + (bx - ax) * t, ay + (by - ay) * t);
                trace.points.push((x + noise * random.normal(), y + noise * random.normal()));
                rest += random.between(15.0, 25.0);
            }
            rest -= length;
        }
        let onwards: Vec<u32> = network
            .next(edge)?
            .iter()
            .zip(network.next_turns(edge)?)
            .filter(|(next, turn)| turn.abs() < 170.0 && !trace.edges.contains(next))
            .map(|(&next, _)| next)
            .collect();
        if driven >= metres || onwards.is_empty() {
            return Ok(trace);
        }
        edge = onwards[random.below(onwards.len() as u64) as usize];
    }
}

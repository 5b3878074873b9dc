//! A road network in a file of its own schema: made up, written, opened, asked, and used to match noisy traces to roads.
//! `docs/road-network.md` tells more.
//!
//! ```text
//! cargo run --release --no-default-features --example road_network -- /tmp/roads.hypso [ROADS]
//! ```

#[path = "common/random.rs"]
mod random;
#[path = "common/roads/mod.rs"]
mod roads;

use std::time::Instant;

use hypso::container::Container;
use roads::{Country, Matcher, Network, Random, drive, write};

fn main() -> hypso::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        return Err(hypso::Error::argument("usage", "road_network FILE [ROADS]"));
    };
    let count = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let begin = Instant::now();
    let country = Country::new(count, 1);
    write(&path, &country, &format!(r#"{{"source":"made up","seed":1,"roads":{}}}"#, country.len()))?;
    println!("wrote {path} in {:.1} s", begin.elapsed().as_secs_f64());

    // A service would keep the container in an `Arc`; a one-shot container in a cluster opens it for one trace.
    let begin = Instant::now();
    let file = Container::open(&path)?;
    let network = Network::new(&file)?;
    println!("opened in {:.0} us: {}", begin.elapsed().as_secs_f64() * 1e6, file.json("about")?);
    println!("{} roads, {} edges, {} transitions", network.roads(), network.edges(), network.transitions());

    // By id: one look into a bitmap, and the lists lie where they are used.
    let id = network.id(network.edges() as u32 / 2).unwrap_or(0);
    let names = file.ragged("class.name")?;
    for (next, turn) in network.successors(id)? {
        println!("after edge {id} comes {next}, {turn:.0} degrees");
    }
    for (before, _) in network.predecessors(id)? {
        println!("before edge {id} comes {before}");
    }
    if let Some(edge) = network.row(id) {
        let class = names.text(usize::from(network.class(edge).unwrap_or(0)))?;
        println!("edge {id} is a {class} of {:.1} m", network.length(edge));
    }

    // By place.
    let mut random = Random(7);
    let mut trace = drive(&network, &mut random, 3000.0, 5.0)?;
    while trace.points.len() < 100 {
        // That one ended at a dead end.
        trace = drive(&network, &mut random, 3000.0, 5.0)?;
    }
    let (x, y) = trace.points[0];
    if let Some((road, distance)) = network.nearest(x, y) {
        println!("the road nearest to {x:.0} {y:.0} is row {road}, {distance:.1} m away");
    }

    // A drive of 3 km with 5 m of noise, and what the matcher makes of it.
    let begin = Instant::now();
    let found = Matcher::default().run(&network, &trace.points)?;
    let right = trace.edges.iter().filter(|edge| found.edges.contains(edge)).count();
    println!(
        "matched {} positions to {} edges in {:.1} ms: {right} of {} driven edges, {} breaks",
        trace.points.len(),
        found.edges.len(),
        begin.elapsed().as_secs_f64() * 1e3,
        trace.edges.len(),
        found.breaks
    );
    Ok(())
}

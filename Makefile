# hypso: `make demo` shows everything, `make test` checks everything.
.PHONY: demo seam static test distributed-test viewer viewer-test lint licences msrv doc bench fuzz memcheck clean

demo: ## build, make a sample, and turn it into a PMTiles and a picture in demo/
	@scripts/demo.sh

seam: ## the pictures of docs/seams.md, in demo/
	@scripts/seam.sh

static: ## the program without GDAL as one static file
	@scripts/static.sh

test: ## all tests
	@scripts/test.sh

viewer: ## the map of `hypso serve` from its sources and npm packages, into src/serve/viewer/dist
	@src/serve/viewer/build.sh

viewer-test: ## the map in headless Chromium, against the server's own answers; pictures in target/viewer-test
	@scripts/viewer_test.sh

distributed-test: ## a plan's shards by Slurm and Dask on this machine, with a killed worker: the bytes of a single run
	@scripts/distributed_test.sh

lint: licences ## format and clippy, warnings denied; and licences
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features --lib -- -D warnings
	cargo clippy --no-default-features --features cli -- -D warnings

licences: ## licences, advisories and sources of dependencies (deny.toml), where cargo-deny is installed
	@if command -v cargo-deny >/dev/null 2>&1; then cargo deny check; else \
		echo "SKIPPED: licences were not checked; run \`cargo install --locked cargo-deny\`" >&2; fi

msrv: ## builds with the oldest Rust that is promised
	@scripts/check-msrv.sh

doc: ## the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

bench: ## criterion benches; figures go into benches/RESULTS.md
	cargo bench

# Built as tests are: what they have built is not built again. A long fuzz is built with --release: see fuzz/README.md.
FUZZ = cargo run --manifest-path fuzz/Cargo.toml --target-dir target

fuzz: ## a short fuzz of stores, files of heights, PMTiles, zips, JPGIS, Parquet, MBTiles, the WebP encoder and requests
	$(FUZZ) -- --seconds 20
	$(FUZZ) -- --heights --seconds 10
	$(FUZZ) --features webp,serve --bin webp -- --seconds 10
	$(FUZZ) --features webp,serve --bin archives -- --seconds 20
	$(FUZZ) --features webp,serve --bin archives -- --packed --seconds 20
	$(FUZZ) --features webp,serve --bin mbtiles -- --seconds 20
	$(FUZZ) --features webp,serve --bin requests -- --seconds 10

memcheck: ## the indices' unsafe code under valgrind, where that is installed
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind -q --error-exitcode=9" PROPTEST_CASES=6 cargo test --no-default-features --lib index::

clean:
	rm -rf demo target fuzz/target

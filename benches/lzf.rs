//! How fast LZF is, on text like JSON and on noise, in pieces of several sizes: `cargo bench --bench lzf`.

use std::time::Instant;

use ackd::base::lzf::{Compressor, decompress};

fn main() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut json = String::new();
    while json.len() < 1 << 22 {
        let (id, score, name) =
            (random.u32(..1_000_000), random.u32(..1000), ["alice", "bob", "carol"][random.usize(..3)]);
        json += &format!(r#"{{"id":{id},"name":"{name}","email":"{name}{score}@example.com","score":{score}}},"#);
    }
    let noise: Vec<u8> = (0..1 << 22).map(|_| random.u8(..)).collect();
    let mut compressor = Compressor::new();
    for (name, bytes) in [("json", json.as_bytes()), ("noise", &noise)] {
        for size in [100, 1000, 10_000, 1 << 20] {
            let started = Instant::now();
            let mut blocks = Vec::new();
            for plain in bytes.chunks(size) {
                let mut out = Vec::with_capacity(size);
                if compressor.compress(plain, &mut out) {
                    blocks.push((out, plain.len()));
                }
            }
            let compress = bytes.len() as f64 / 1e6 / started.elapsed().as_secs_f64();
            let started = Instant::now();
            let plain: usize =
                blocks.iter().map(|(block, len)| decompress(block, *len).expect("it was compressed").len()).sum();
            let decompress = plain as f64 / 1e6 / started.elapsed().as_secs_f64();
            println!("{name} of {size} bytes: compress {compress:.0} MB/s, decompress {decompress:.0} MB/s");
        }
    }
}

// The gearhash and blake3 crates at the three works of tests/bench/primitives.c, in its words: chunk, hash, both.
// xet-peers WORK BYTES KIND SEED [ROUNDS]: makes the data, runs the work over a part to warm up, and ROUNDS times measured.
// Prints bytes, CPU seconds and a sum that both programs must agree on.
use std::hint::black_box;

const MIN: usize = 8192;
const MAX: usize = 131072;
const MASK: u64 = 0xFFFF_0000_0000_0000;
const KEY: [u8; 32] = [
    0x66, 0x97, 0xf5, 0x77, 0x5b, 0x95, 0x50, 0xde, 0x31, 0x35, 0xcb, 0xac, 0xa5, 0x97, 0x18, 0x1c, 0x9d, 0xe4, 0x21,
    0x10, 0x9b, 0xeb, 0x2b, 0x58, 0xb4, 0xd0, 0xb0, 0x4b, 0x93, 0xad, 0xf2, 0x29,
];

fn make(n: usize, kind: &str, mut seed: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(n + 8);
    while out.len() < n {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        if kind == "float" {
            z = (z & 0x007f_ffff_007f_ffff) | 0x3f00_0000_3f00_0000;
        }
        out.extend_from_slice(&z.to_le_bytes());
    }
    out.truncate(n);
    out
}

// The end of the chunk that begins at the start of data; the first bytes are skipped as far as that changes no cut.
fn cut(data: &[u8]) -> usize {
    if data.len() <= MIN {
        return data.len();
    }
    let most = data.len().min(MAX);
    let mut hasher = gearhash::Hasher::default();
    hasher.update(&data[MIN - 65..MIN - 1]);
    match hasher.next_match(&data[MIN - 1..most], MASK) {
        Some(n) => MIN - 1 + n,
        None => most,
    }
}

fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn work(name: &str, data: &[u8]) -> u64 {
    let mut sum = 0u64;
    let mut at = 0;
    while at < data.len() {
        let n = if name == "hash" { 65536.min(data.len() - at) } else { cut(&data[at..]) };
        let chunk = &data[at..at + n];
        sum = sum.wrapping_mul(31).wrapping_add(n as u64);
        if name != "chunk" {
            let hash = blake3::keyed_hash(&KEY, chunk);
            sum ^= u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
        }
        at += n;
    }
    sum
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let data = make(args[2].parse().unwrap(), &args[3], args[4].parse().unwrap());
    black_box(work(&args[1], &data[..data.len() / 8]));
    let began = cpu();
    let rounds: usize = args.get(5).map_or(1, |n| n.parse().unwrap());
    let mut sum = 0;
    for _ in 0..rounds {
        sum = black_box(work(&args[1], black_box(&data)));
    }
    println!("{} {:.6} {:016x}", data.len() * rounds, cpu() - began, sum);
}

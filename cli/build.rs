//! For the smallest program: JSON's grammar, compiled here, so that the compiler stays behind.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "small")]
    pack_json();
}

/// Writes the grammar of `--json`, packed, to `json.packed`.
#[cfg(feature = "small")]
fn pack_json() {
    use picolm_core::grammar::json::{self, Root};
    let mut words = vec![0; 1 << 16];
    let grammar = json::compact(Root::Object, &mut words).expect("JSON's grammar fits in 256 KiB");
    let mut packed = Vec::new();
    grammar.pack(&mut |byte| packed.push(byte));
    let folder = std::env::var_os("OUT_DIR").expect("cargo names a folder");
    std::fs::write(std::path::Path::new(&folder).join("json.packed"), packed)
        .expect("cargo's folder can be written to");
}

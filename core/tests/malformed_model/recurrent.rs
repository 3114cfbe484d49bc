//! Models with state that remembers all positions at once: keys that lie, and tensors that are not
//! there.

use picolm_core::gguf::{Gguf, Key};
use picolm_core::kernels::portable;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::{Build, LayerSet, Layout, ModelError, family};
use picolm_core::port::{CpuFeatures, FlashWeights, Serial};
use picolm_core::session::{Options, Session};

const FILES: [(&str, &str); 2] = [("qwen35_mtp", "qwen35"), ("falcon_h1_norm", "falcon-h1")];

/// More than a model of these sizes needs, and little enough to take a thousand times.
const MEMORY_BYTES: u64 = 16 << 20;

fn read(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/arch");
    std::fs::read(format!("{folder}/{name}.gguf")).unwrap()
}

/// Loads the model and evaluates three tokens, if it is one and not too large.
fn try_out(file: &[u8]) -> Result<(), ModelError> {
    let gguf = Gguf::parse(file, file.len() as u64)?;
    let build = Build {
        formats: portable::ALL,
        vectors: portable::VECTORS,
        families: family::ALL,
        cpu: CpuFeatures::baseline(),
    };
    let layout = Layout::of(&gguf, &build, LayerSet::EMPTY)?;
    let options = Options { context: 8, batch: 3, ..Options::default() };
    let mut plan = MemoryPlan::new();
    Session::plan(&layout, &options, &mut plan)?;
    if plan.total() > MEMORY_BYTES {
        return Ok(());
    }
    let mut memory = vec![0xa5; plan.total() as usize + 63];
    let (weights, mut arena) = (FlashWeights::new(file), Arena::new(&mut memory));
    let mut session = Session::new(&layout, &weights, &Serial, &options, &mut arena)?;
    session.prefill(&[1, 2, 3], &mut |_| true).unwrap();
    session.decode(4).unwrap();
    Ok(())
}

/// No number in the place of another one of a model's ends in anything but an error or an answer.
#[test]
fn every_number_is_checked() {
    const NUMBERS: [u32; 12] = [0, 1, 2, 3, 5, 17, 64, 255, 1 << 10, 1 << 17, 1 << 20, u32::MAX];
    let mut refused = 0;
    for (name, architecture) in FILES {
        let file = read(name);
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        for suffix in [
            "block_count",
            "embedding_length",
            "feed_forward_length",
            "attention.head_count",
            "attention.head_count_kv",
            "attention.key_length",
            "attention.value_length",
            "rope.dimension_count",
            "ssm.conv_kernel",
            "ssm.state_size",
            "ssm.group_count",
            "ssm.time_step_rank",
            "ssm.inner_size",
            "full_attention_interval",
            "nextn_predict_layers",
        ] {
            let key = format!("{architecture}.{suffix}");
            let Some(pair) = gguf.offset_of(Key::new(&key)) else { continue };
            // The name's length, the name, the value's type.
            let at = pair as usize + 8 + key.len() + 4;
            for number in NUMBERS {
                let mut lying = file.clone();
                lying[at..at + 4].copy_from_slice(&number.to_le_bytes());
                refused += usize::from(try_out(&lying).is_err());
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

/// Every tensor of a block that runs has a meaning, and every one is needed: under another name it
/// is unknown, under that of a block that does not run it is missing.
#[test]
fn every_tensor_is_needed() {
    let file = read("qwen35_mtp");
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let mut missing = 0;
    for tensor in gguf.tensors().filter(|tensor| tensor.name.starts_with(b"blk.")) {
        if tensor.name.starts_with(b"blk.4.") {
            continue;
        }
        let entry = [&(tensor.name.len() as u64).to_le_bytes(), tensor.name].concat();
        let at = 8 + file.windows(entry.len()).position(|window| window == entry).unwrap();
        let mut renamed = file.clone();
        renamed[at + tensor.name.len() - 1] = b'_';
        let unknown = try_out(&renamed);
        assert!(matches!(unknown, Err(ModelError::UnknownTensor(_))), "{unknown:?}");
        // The block behind the last one that runs may have anything, but no name twice.
        let mut moved = file.clone();
        moved[at + 4] = b'4';
        moved[at + tensor.name.len() - 1] = b'_';
        let name = core::str::from_utf8(tensor.name).unwrap();
        match try_out(&moved) {
            Err(ModelError::MissingTensor(slot)) => assert_eq!(slot.to_string(), name),
            other => panic!("{name}: {other:?}"),
        }
        missing += 1;
    }
    assert!(missing > 40, "{missing}");
}

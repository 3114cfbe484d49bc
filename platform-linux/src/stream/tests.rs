//! Whatever is pinned, skipped, failed or asked for out of order: the bytes are the file's.

use super::*;
use picolm_core::gguf::Gguf;
use picolm_core::kernels;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::{Build, LayerSet, Layout, family};
use picolm_core::port::{CpuFeatures, FlashWeights, Need};
use picolm_core::session::{Options, Session};
use std::path::PathBuf;

/// A file of one test's own that is gone afterwards. In the build's folder: the system's temporary
/// one may be of a kind that knows no direct reads.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let folder = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
        let path = folder.join(format!("stream-{}-{name}", std::process::id()));
        let mut file = std::fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        file.sync_all().unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn noise(count: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252;
    (0..count).map(|_| (random(&mut state) >> 32) as u8).collect()
}

/// Stripes of odd places and lengths, in an order that is not the file's.
fn odd_stripes(file_bytes: u64) -> Vec<Stripe> {
    let mut stripes = Vec::new();
    let mut state = 7;
    for index in 0..120 {
        let bytes = random(&mut state) % 9000;
        let offset = random(&mut state) % (file_bytes - bytes);
        let need = match index {
            100.. => Need::Logits,
            _ if index % 20 > 12 => Need::Maybe,
            _ => Need::Always,
        };
        stripes.push(Stripe { offset, bytes, need, group: index / 3 });
    }
    let last = Stripe { offset: file_bytes - 5, bytes: 5, need: Need::Logits, group: 0 };
    stripes.push(last);
    stripes
}

fn source(path: &Path, stripes: &[Stripe], budget: u64, buffered: bool) -> StreamedFile {
    let options = StreamOptions { stripe_bytes: 9000, slots: 4, buffered };
    let mut source = StreamedFile::open(path, 100, options).unwrap();
    source.set_budget(budget);
    source.schedule(stripes).unwrap();
    source
}

/// One pass; of the experts those whose number has `bits` in common.
fn pass(source: &StreamedFile, stripes: &[Stripe], file: &[u8], logits: bool, bits: usize) {
    source.begin();
    if logits {
        source.want(100..stripes.len());
    }
    let mut held = std::collections::VecDeque::new();
    for (index, stripe) in stripes.iter().enumerate() {
        let wanted = |index: usize| index & bits != 0;
        if stripe.need == Need::Maybe && stripes[index - 1].need == Need::Always {
            let group =
                index..index + stripes[index..].iter().position(|s| s.need != Need::Maybe).unwrap();
            group.clone().filter(|&i| wanted(i)).for_each(|i| source.want(i..i + 1));
            source.want(group.end..group.end);
        }
        let leased = match stripe.need {
            Need::Always => true,
            Need::Logits => logits,
            Need::Maybe => wanted(index),
        };
        if leased {
            let lease = source.lease(index, stripe).unwrap();
            let start = stripe.offset as usize;
            assert!(*lease == file[start..start + stripe.bytes as usize], "stripe {index}");
            held.push_back(lease);
            if held.len() == 2 {
                held.pop_front();
            }
        }
    }
}

#[test]
fn every_stripe_has_the_files_bytes_whatever_is_pinned() {
    let file = noise(200_001);
    let temporary = TemporaryFile::new("bytes", &file);
    let stripes = odd_stripes(file.len() as u64);
    for buffered in [false, true] {
        for budget in [0, 80_000, 100_000, 200_000, 400_000, 550_000, 10_000_000] {
            let source = source(&temporary.0, &stripes, budget, buffered);
            assert_eq!(source.header(), &file[..100]);
            let plan = source.plan().unwrap();
            assert!(budget < 80_000 || plan.pinned_bytes + plan.buffer_bytes <= budget);
            for (round, bits) in [1, 0, 6, 127, 2, 3].into_iter().enumerate() {
                pass(&source, &stripes, &file, round % 3 != 1, bits);
            }
        }
    }
}

#[test]
fn a_pass_may_be_left_and_stripes_asked_for_again() {
    let file = noise(150_000);
    let temporary = TemporaryFile::new("left", &file);
    let stripes = odd_stripes(file.len() as u64);
    for budget in [0, 150_000, 10_000_000] {
        let source = source(&temporary.0, &stripes, budget, false);
        for last in [0, 3, 1, 120, 2] {
            source.begin();
            for index in (0..=last).step_by(3).chain([0, 50, 7, last]) {
                let Stripe { offset, bytes, .. } = stripes[index];
                let lease = source.lease(index, &stripes[index]).unwrap();
                assert!(*lease == file[offset as usize..(offset + bytes) as usize]);
            }
        }
        pass(&source, &stripes, &file, true, 5);
        assert!(matches!(
            source.lease(stripes.len(), &stripes[0]),
            Err(ReadError::NotScheduled { .. })
        ));
    }
}

#[test]
fn small_reads_are_the_files_bytes_and_end_with_it() {
    let file = noise(30_000);
    let temporary = TemporaryFile::new("small", &file);
    let source = source(&temporary.0, &[], 0, false);
    let mut state = 3;
    for _ in 0..2000 {
        let mut bytes = vec![0; (random(&mut state) % 300) as usize];
        let offset = random(&mut state) as usize % (file.len() - bytes.len());
        source.read(offset as u64, &mut bytes).unwrap();
        assert_eq!(bytes, &file[offset..offset + bytes.len()]);
    }
    let mut all = vec![0; file.len()];
    source.read(0, &mut all).unwrap();
    assert_eq!(all, file);
    for offset in [29_999, 30_000, 30_001, u64::MAX] {
        let error = source.read(offset, &mut [0; 2]).unwrap_err();
        assert_eq!(error, ReadError::OutOfRange { offset });
    }
}

#[test]
fn a_file_that_shrinks_is_an_error_and_what_is_left_can_be_read() {
    let file = noise(100_000);
    for buffered in [false, true] {
        let temporary = TemporaryFile::new("shrinks", &file);
        let stripes: Vec<_> = (0..10)
            .map(|index| Stripe {
                offset: index * 10_000,
                bytes: 10_000,
                need: Need::Always,
                group: 0,
            })
            .collect();
        let source = source(&temporary.0, &stripes, 0, buffered);
        source.begin();
        for (index, stripe) in stripes.iter().enumerate() {
            drop(source.lease(index, stripe).unwrap());
        }
        let writer = std::fs::OpenOptions::new().write(true).open(&temporary.0).unwrap();
        writer.set_len(55_000).unwrap();
        for _ in 0..2 {
            source.begin();
            let mut failed = None;
            for (index, stripe) in stripes.iter().enumerate() {
                match source.lease(index, stripe) {
                    // The first ones may have been read ahead, before the file shrank.
                    Ok(lease) => assert!(*lease == file[index * 10_000..(index + 1) * 10_000]),
                    Err(error) => {
                        failed = Some((index, error));
                        break;
                    }
                }
            }
            assert_eq!(failed, Some((5, ReadError::OutOfRange { offset: 50_000 })));
        }
        let mut byte = [0];
        assert!(source.read(90_000, &mut byte).is_err());
        source.read(1000, &mut byte).unwrap();
        assert_eq!(byte[0], file[1000]);
    }
}

#[test]
fn a_schedule_beyond_the_file_is_refused() {
    let temporary = TemporaryFile::new("beyond", &noise(10_000));
    let options = StreamOptions::default();
    for (offset, bytes) in [(9_999, 2), (u64::MAX, 1), (10_001, 0), (0, u64::MAX)] {
        let source = StreamedFile::open(&temporary.0, 1 << 40, options).unwrap();
        assert_eq!(source.header().len(), 10_000);
        let stripes = [Stripe { offset, bytes, need: Need::Always, group: 0 }];
        assert_eq!(source.schedule(&stripes), Err(ReadError::OutOfRange { offset }));
    }
}

#[test]
fn the_end_does_not_wait_for_a_pass() {
    let file = noise(100_000);
    let temporary = TemporaryFile::new("end", &file);
    let stripes = odd_stripes(file.len() as u64);
    for leases in 0..20 {
        let source = source(&temporary.0, &stripes, 50_000, false);
        if leases > 0 {
            source.begin();
        }
        for (index, stripe) in stripes.iter().take(leases).enumerate() {
            let _ = source.lease(index, stripe).unwrap();
        }
    }
}

fn fixtures() -> PathBuf {
    std::env::var_os("PICOLM_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data"),
        PathBuf::from,
    )
}

/// Scores of every token, in batches of 5 and of 1.
fn logits(file: &[u8], weights: &dyn Weights, threads: usize, tokens: &[u32]) -> Vec<u32> {
    let gguf = Gguf::parse(file, weights.file_bytes()).unwrap();
    let pool = crate::threads::Pool::new(threads);
    let build = Build {
        formats: kernels::ALL,
        vectors: kernels::VECTORS,
        families: family::ALL,
        cpu: CpuFeatures::baseline(),
    };
    let stripe_bytes = weights.stripe_bytes();
    let options =
        Options { batch: 5, logit_rows: 5, workers: threads, stripe_bytes, ..Options::default() };
    let layout = Layout::of(&gguf, &build, LayerSet::EMPTY).unwrap();
    let mut plan = MemoryPlan::new();
    Session::plan(&layout, &options, &mut plan).unwrap();
    let mut memory = vec![0; plan.total() as usize + 63];
    let mut arena = Arena::new(&mut memory);
    let mut session = Session::new(&layout, weights, &pool, &options, &mut arena).unwrap();
    let mut bits = Vec::new();
    let (prompt, rest) = tokens.split_at(tokens.len() / 2);
    session.prefill(&prompt[..6], &mut |_| true).unwrap();
    session
        .prefill_scored(&prompt[6..], &mut |_, logits| {
            bits.extend(logits.iter().map(|l| l.to_bits()))
        })
        .unwrap();
    for &token in rest {
        session.decode(token).unwrap();
        bits.extend(session.logits().iter().map(|logit| logit.to_bits()));
    }
    bits
}

#[test]
fn answers_are_those_of_the_whole_file_in_memory() {
    // Few: each is a pass of direct reads, row by row where stripes are short.
    let tokens: Vec<u32> = (0..16).map(|index| index * 37 % 384).collect();
    for model in ["arch/llama3_rope.gguf", "arch/llama_moe.gguf", "quant/Q4_1.gguf"] {
        let path = fixtures().join(model);
        let file = std::fs::read(&path).unwrap();
        let expected = logits(&file, &FlashWeights::new(&file), 1, &tokens);
        let weights: u64 = Gguf::parse(&file, file.len() as u64)
            .unwrap()
            .tensors()
            .map(|tensor| tensor.bytes)
            .sum();
        for (index, percent) in [0, 1, 35, 60, 99, 400].into_iter().enumerate() {
            let stripe_bytes = [1, 3000, 20_000][index % 3];
            let options = StreamOptions { stripe_bytes, slots: 3, buffered: index == 2 };
            let mut source = StreamedFile::open(&path, file.len() as u64, options).unwrap();
            source.set_budget(weights / 100 * percent);
            let found = logits(&file, &source, index % 3 + 1, &tokens);
            assert!(found == expected, "{model}, {percent} %");
            let plan = source.plan().unwrap();
            let streamed = plan.streamed_bytes + plan.streamed_expert_bytes;
            // 99 % of the file is more than all matrices: the embedding counts to the file only.
            assert!((streamed == 0) == (percent >= 99) || percent == 99, "{model}: {plan:?}");
        }
    }
}

/// A profile changes what stays in memory, and no bit.
#[test]
fn the_most_used_experts_stay_and_change_no_bit() {
    let tokens: Vec<u32> = (0..16).map(|index| index * 41 % 384).collect();
    let path = fixtures().join("arch/llama_moe.gguf");
    let file = std::fs::read(&path).unwrap();
    let expected = logits(&file, &FlashWeights::new(&file), 1, &tokens);
    let stream = |budget, uses: Vec<u64>| {
        let options = StreamOptions { stripe_bytes: 3000, slots: 3, buffered: false };
        let mut source = StreamedFile::open(&path, file.len() as u64, options).unwrap();
        source.set_budget(budget);
        source.set_uses(uses);
        assert!(source.groups().next().is_none());
        assert!(logits(&file, &source, 2, &tokens) == expected);
        let groups: Vec<_> = source.groups().collect();
        (source.plan().unwrap(), groups)
    };
    let (nothing, groups) = stream(0, Vec::new());
    assert!(groups.iter().map(|&(group, _)| group).eq(0..groups.len() as u32));
    assert!(groups.iter().all(|&(_, is_pinned)| !is_pinned));
    // All that every pass reads, and half of the experts.
    let expert_bytes = nothing.streamed_expert_bytes / groups.len() as u64;
    let dense = nothing.buffer_bytes + nothing.streamed_bytes;
    let budget = dense + nothing.streamed_expert_bytes / 2;
    for favourite in 0..groups.len() {
        let uses = (0..groups.len()).map(|group| u64::from(group == favourite)).collect();
        let (plan, groups) = stream(budget, uses);
        assert!(groups[favourite].1, "{favourite}: {groups:?}");
        assert!(groups.iter().any(|&(_, is_pinned)| !is_pinned));
        assert_eq!(plan.streamed_bytes, 0);
        assert!(plan.pinned_bytes + plan.buffer_bytes + 2 * expert_bytes > budget);
    }
}

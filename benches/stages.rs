//! How long each stage takes on generated accounts of several sizes, with what it gets through in a second.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a bench whose account cannot be read has nothing to measure; criterion's macros make public functions"
)]

mod measured;

use std::time::Duration;

use criterion::{
    BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};

use self::measured::{Input, Shape, sizes};

fn stages(criterion: &mut Criterion) {
    for size in sizes() {
        let input = Input::of(size);
        let documents = Throughput::Bytes(input.bytes_of_documents() as u64);
        measure(criterion, "parse", size, &input, documents, Input::parse);
        let pairs = Throughput::Elements(input.pairs() as u64);
        measure(criterion, "access", size, &input, pairs, |input| {
            input.access().principals.len()
        });
        measure_matrix(criterion, size, &input);
        let access = input.access();
        let principals = Throughput::Elements(access.principals.len() as u64);
        measure(criterion, "loops", size, &input, principals, |input| {
            input.loops(&access)
        });
        measure_analyze(criterion, size, &input);
    }
}

fn measure(
    criterion: &mut Criterion,
    stage: &str,
    size: Shape,
    input: &Input,
    throughput: Throughput,
    run: impl Fn(&Input) -> usize,
) {
    let mut group = criterion.benchmark_group(stage);
    group
        .sampling_mode(SamplingMode::Flat)
        .throughput(throughput)
        .bench_with_input(
            BenchmarkId::from_parameter(size),
            input,
            |bencher, input| {
                bencher.iter(|| run(input));
            },
        );
    group.finish();
}

/// Deciding alone, from policies that are parsed.
fn measure_matrix(criterion: &mut Criterion, size: Shape, input: &Input) {
    let mut group = criterion.benchmark_group("matrix");
    group
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Elements(input.pairs() as u64))
        .bench_with_input(
            BenchmarkId::from_parameter(size),
            input,
            |bencher, input| {
                bencher.iter_batched(
                    || input.prepared(),
                    |mut access| {
                        access.decide();
                        access
                    },
                    BatchSize::PerIteration,
                );
            },
        );
    group.finish();
}

/// The whole, which measures itself.
fn measure_analyze(criterion: &mut Criterion, size: Shape, input: &Input) {
    let mut group = criterion.benchmark_group("analyze");
    group
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Bytes(input.snapshot.len() as u64))
        .bench_with_input(
            BenchmarkId::from_parameter(size),
            input,
            |bencher, input| {
                bencher.iter_custom(|runs| (0..runs).map(|_| input.analyze().1).sum());
            },
        );
    group.finish();
}

/// What is measured takes milliseconds to seconds: few samples say enough.
fn few_samples() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .nresamples(2_000)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = benches;
    config = few_samples();
    targets = stages
}
criterion_main!(benches);

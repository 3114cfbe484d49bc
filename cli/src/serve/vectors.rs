//! The thread that computes, for a model that turns texts into vectors.

use super::error::ApiError;
use super::job::{Event, Job, Quit, VectorJob};
use super::metrics::Metrics;
use picolm_core::session::{Session, normalize};
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// Computes the vectors of all jobs, until no more can come or `quit` says so.
pub(super) fn run(mut session: Session<'_>, jobs: &Receiver<Job>, quit: &Quit, metrics: &Metrics) {
    for job in jobs {
        if quit.is_now() {
            return;
        }
        match job {
            Job::Vectors(VectorJob { texts, events, .. }) => {
                let vectors = vectors(&mut session, &texts, &|| events.is_closed(), metrics);
                let tokens = texts.iter().map(|tokens| tokens.len() as u32).sum();
                match vectors {
                    Ok(vectors) => events.send(Event::Vectors { vectors, tokens }),
                    Err(error) => events.send(Event::Failed(error)),
                }
            }
            Job::Text(job) => {
                job.events.send(Event::Failed(ApiError::internal("no texts here")));
            }
        }
    }
}

/// The vectors of `texts`, of length 1, unless nobody waits for them any more.
fn vectors(
    session: &mut Session<'_>,
    texts: &[Vec<u32>],
    is_abandoned: &dyn Fn() -> bool,
    metrics: &Metrics,
) -> Result<Vec<Vec<f32>>, ApiError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for tokens in texts {
        if is_abandoned() {
            break;
        }
        let began = Instant::now();
        let mut vector = session.embed(tokens).map_err(ApiError::internal)?.to_vec();
        normalize(&mut vector);
        vectors.push(vector);
        metrics.add_prompt(tokens.len() as u32, 0);
        metrics.add_pass(tokens.len(), began.elapsed());
    }
    Ok(vectors)
}

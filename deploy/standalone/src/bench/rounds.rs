//! Rounds of two measurements that take turns, so that whatever else the machine does hits both.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// Rounds of each. Odd, so that the median is one that was measured.
const ROUNDS: usize = 3;

/// The share of a round for which each is run before, unmeasured: connections open, statements are prepared.
const WARM_UP: f64 = 0.1;

/// Runs both in turns and answers the medians.
pub(super) async fn alternate(
    length: Duration,
    measured: impl AsyncFn(Duration) -> anyhow::Result<f64>,
    baseline: impl AsyncFn(Duration) -> anyhow::Result<f64>,
) -> anyhow::Result<(f64, f64)> {
    let warm_up = length.mul_f64(WARM_UP);
    measured(warm_up).await?;
    baseline(warm_up).await?;
    let (mut values, mut baselines) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        values.push(measured(length).await?);
        baselines.push(baseline(length).await?);
    }
    Ok((median(values), median(baselines)))
}

/// Lets workers do something again and again until the time is over, each in a task of its own, and answers how many
/// things they did in a second. What is under way at the end is finished and counted.
pub(super) async fn per_second<F>(
    workers: usize,
    length: Duration,
    work: impl Fn() -> F + Clone + Send + 'static,
) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<u32>> + Send,
{
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let work = work.clone();
        tasks.spawn(async move {
            let mut done = 0.0;
            while began.elapsed() < length {
                done += f64::from(work().await?);
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0.0;
    while let Some(worker) = tasks.join_next().await {
        done += worker??;
    }
    Ok(done / began.elapsed().as_secs_f64())
}

/// The value in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_value_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
    }
}

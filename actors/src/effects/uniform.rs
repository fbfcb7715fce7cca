//! Whole numbers between two bounds, each as likely as every other. Pure.

/// A number from `lo` to `hi`, both included, of what `next` gives: any 64 bits, each as likely as every other.
///
/// Draws that would make some numbers likelier are thrown away: at most every other one, and of small ranges almost
/// none.
pub(super) fn between<E>(lo: i64, hi: i64, mut next: impl FnMut() -> Result<u64, E>) -> Result<i64, E> {
    let span = hi.wrapping_sub(lo).cast_unsigned(); // right also where the difference has no i64
    let Some(count) = span.checked_add(1) else { return next().map(u64::cast_signed) };
    // The first `surplus` draws are too many to be shared out evenly.
    let surplus = (u64::MAX % count + 1) % count;
    loop {
        let drawn = next()?;
        if drawn >= surplus {
            return Ok(lo.wrapping_add((drawn % count).cast_signed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn draw(lo: i64, hi: i64, from: &[u64]) -> i64 {
        let mut from = from.iter().copied();
        between(lo, hi, || Ok::<_, Infallible>(from.next().expect("a draw is left")))
            .unwrap_or_else(|never| match never {})
    }

    #[test]
    fn the_whole_range_is_reached_at_both_ends() {
        assert_eq!(draw(i64::MIN, i64::MAX, &[i64::MIN.cast_unsigned()]), i64::MIN);
        assert_eq!(draw(i64::MIN, i64::MAX, &[i64::MAX.cast_unsigned()]), i64::MAX);
        assert_eq!(draw(7, 7, &[u64::MAX]), 7);
        assert_eq!(draw(i64::MIN, i64::MAX - 1, &[0, 5]), i64::MIN + 5);
    }

    #[test]
    fn a_draw_that_would_favour_some_numbers_is_thrown_away() {
        // 2^64 is 1 more than a multiple of 3: the draw 0 would make the number 0 likelier.
        assert_eq!(draw(0, 2, &[0, 4]), 1);
    }

    proptest! {
        #[test]
        fn a_number_lies_between_its_bounds(a: i64, b: i64, draws in proptest::collection::vec(any::<u64>(), 200)) {
            let (lo, hi) = (a.min(b), a.max(b));
            prop_assert!((lo..=hi).contains(&draw(lo, hi, &draws)));
        }
    }
}

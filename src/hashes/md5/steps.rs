//! The algorithm, written once for vectors of any width.

/// Makes the algorithm for a kind of [vectors](crate::hashes::vectors), with the functions of RFC 1321, 3.4, one for each
/// round: `mix`.
macro_rules! md5_of_vectors {
    ($(with $features:literal)?) => {
        /// The states of some hashes: A, B, C and D of all of them.
        type States = [Vector; 4];

        /// Hashes the same number of blocks of each input.
        $(#[target_feature(enable = $features)])?
        pub(super) fn update<const VECTORS: usize>(
            states: &mut [[[u32; 4]; LANES]; VECTORS],
            inputs: &[[&[Block]; LANES]; VECTORS],
            blocks: usize,
        ) {
            let mut sums = [from_states(&states[0]); VECTORS];
            for vector in 1..VECTORS {
                sums[vector] = from_states(&states[vector]);
            }
            for block in 0..blocks {
                let mut words = [load(&inputs[0], block); VECTORS];
                for vector in 1..VECTORS {
                    words[vector] = load(&inputs[vector], block);
                }
                compress(&mut sums, &words);
            }
            for vector in 0..VECTORS {
                states[vector] = to_states(&sums[vector]);
            }
        }

        /// One block of each input. A step waits for the one before it, so all vectors go through a step together.
        #[inline]
        $(#[target_feature(enable = $features)])?
        fn compress<const VECTORS: usize>(sums: &mut [States; VECTORS], words: &[[Vector; 16]; VECTORS]) {
            let mut work = *sums;
            each_step!({
                for vector in 0..VECTORS {
                    work[vector] = step::<STEP>(work[vector], &words[vector]);
                }
            });
            for vector in 0..VECTORS {
                for word in 0..4 {
                    sums[vector][word] = add(sums[vector][word], work[vector][word]);
                }
            }
        }

        #[inline]
        $(#[target_feature(enable = $features)])?
        fn step<const STEP: usize>([a, b, c, d]: States, words: &[Vector; 16]) -> States {
            let word = match STEP / 16 {
                0 => STEP,
                1 => (5 * STEP + 1) % 16,
                2 => (3 * STEP + 5) % 16,
                _ => (7 * STEP) % 16,
            };
            let early = add(add(a, from_numbers([SINES[STEP]; LANES])), words[word]);
            let sum = add(early, mix(STEP / 16, b, c, d));
            [d, add(b, rotate_left(sum, ROTATIONS[STEP / 16][STEP % 4])), b, c]
        }
    };
}
pub(super) use md5_of_vectors;

//! The algorithm, written once for vectors of any width.

/// Makes the algorithm for a kind of [vectors](crate::hashes::vectors), with what only SHA-256 needs of it: `swap_bytes`,
/// `shift_right`, `xor` of three, and the functions of FIPS 180-4, 4.1.2: `choose` and `majority`.
macro_rules! sha256_of_vectors {
    (with $features:literal) => {
        /// Hashes the same number of blocks of each input.
        #[target_feature(enable = $features)]
        pub(super) fn update(states: &mut [[u32; 8]; LANES], inputs: &[&[Block]; LANES], blocks: usize) {
            let mut sums = from_states(states);
            for block in 0..blocks {
                compress(&mut sums, load(inputs, block));
            }
            *states = to_states(&sums);
        }

        /// One block of each input.
        #[inline]
        #[target_feature(enable = $features)]
        fn compress(sums: &mut [Vector; 8], mut words: [Vector; 16]) {
            for word in 0..16 {
                words[word] = swap_bytes(words[word]);
            }
            let mut work = *sums;
            each_step!({
                if STEP >= 16 {
                    words[STEP % 16] = next_word::<STEP>(&words);
                }
                work = step(work, add(words[STEP % 16], from_numbers([CUBE_ROOTS[STEP]; LANES])));
            });
            for word in 0..8 {
                sums[word] = add(sums[word], work[word]);
            }
        }

        /// The word that takes the place of the one of 16 steps before.
        #[inline]
        #[target_feature(enable = $features)]
        fn next_word<const STEP: usize>(words: &[Vector; 16]) -> Vector {
            let (early, late) = (words[(STEP + 1) % 16], words[(STEP + 14) % 16]);
            let early = xor(rotate_left(early, 32 - 7), rotate_left(early, 32 - 18), shift_right(early, 3));
            let late = xor(rotate_left(late, 32 - 17), rotate_left(late, 32 - 19), shift_right(late, 10));
            add(add(words[STEP % 16], early), add(words[(STEP + 9) % 16], late))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn step([a, b, c, d, e, f, g, h]: [Vector; 8], word: Vector) -> [Vector; 8] {
            let of_e = xor(rotate_left(e, 32 - 6), rotate_left(e, 32 - 11), rotate_left(e, 32 - 25));
            let of_a = xor(rotate_left(a, 32 - 2), rotate_left(a, 32 - 13), rotate_left(a, 32 - 22));
            let sum = add(add(add(h, word), choose(e, f, g)), of_e);
            [add(add(sum, majority(a, b, c)), of_a), a, b, c, add(d, sum), e, f, g]
        }
    };
}
pub(super) use sha256_of_vectors;

//! The algorithm, written once for vectors of any width: each 32-bit number of a vector belongs to another input.

/// Writes a block out for each `STEP`, so that every index and rotation is a constant: a loop over steps leaves the
/// vectors in memory and takes twice as long.
macro_rules! each_step {
    ($body:block) => {
        each_step!($body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        each_step!($body 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    };
    ($body:block $($step:literal)*) => { $({
        const STEP: usize = $step;
        $body
    })* };
}
pub(super) use each_step;

/// Makes the algorithm from what a module knows of its vectors, which may need features of the processor:
///
/// - `Vector`, which is `LANES` numbers, and what makes it: `from_numbers` and `from_bytes`; and `to_numbers`,
/// - `add`, `rotate_left`, and the functions of RFC 1321, 3.4, one for each round: `mix`,
/// - `transpose`, from vectors of neighbouring words of one input each to vectors of one word of all inputs.
///
/// No closures, and none of the functions that take them: they do not have the features, so they would be called.
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
            let mut sums = [[from_numbers([0; LANES]); 4]; VECTORS];
            for vector in 0..VECTORS {
                for word in 0..4 {
                    let mut numbers = [0; LANES];
                    for lane in 0..LANES {
                        numbers[lane] = states[vector][lane][word];
                    }
                    sums[vector][word] = from_numbers(numbers);
                }
            }
            for block in 0..blocks {
                let mut words = [load(&inputs[0], block); VECTORS];
                for vector in 1..VECTORS {
                    words[vector] = load(&inputs[vector], block);
                }
                compress(&mut sums, &words);
            }
            for vector in 0..VECTORS {
                for word in 0..4 {
                    let numbers = to_numbers(sums[vector][word]);
                    for lane in 0..LANES {
                        states[vector][lane][word] = numbers[lane];
                    }
                }
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

        /// The words of a block: each vector has the same word of all inputs.
        #[inline]
        $(#[target_feature(enable = $features)])?
        fn load(inputs: &[&[Block]; LANES], block: usize) -> [Vector; 16] {
            let mut words = [from_numbers([0; LANES]); 16];
            for part in 0..16 / LANES {
                let mut rows = [from_numbers([0; LANES]); LANES];
                for lane in 0..LANES {
                    rows[lane] = from_bytes(&inputs[lane][block].as_chunks().0[part]);
                }
                words[part * LANES..][..LANES].copy_from_slice(&transpose(rows));
            }
            words
        }
    };
}
pub(super) use md5_of_vectors;

/// Makes what [`md5_of_vectors`] needs to fill and to read vectors, where all their numbers count.
macro_rules! whole_vectors {
    (with $features:literal) => {
        #[inline]
        #[target_feature(enable = $features)]
        fn from_numbers(numbers: [u32; LANES]) -> Vector {
            #[expect(unsafe_code, reason = "the safe ways take the numbers one by one")]
            // SAFETY: both are plain bytes, as many, and any bits will do for either.
            unsafe {
                std::mem::transmute::<[u32; LANES], Vector>(numbers)
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn to_numbers(vector: Vector) -> [u32; LANES] {
            #[expect(unsafe_code, reason = "the safe ways give the numbers one by one")]
            // SAFETY: both are plain bytes, as many, and any bits will do for either.
            unsafe {
                std::mem::transmute::<Vector, [u32; LANES]>(vector)
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn from_bytes(bytes: &[u8; 4 * LANES]) -> Vector {
            #[expect(unsafe_code, reason = "there is no safe way to load a whole vector")]
            // SAFETY: both are plain bytes, as many, and any bits will do for either.
            unsafe {
                std::mem::transmute::<[u8; 4 * LANES], Vector>(*bytes)
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use whole_vectors;

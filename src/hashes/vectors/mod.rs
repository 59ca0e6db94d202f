//! Vectors of any width: each 32-bit number of a vector belongs to another input.
//!
//! A kind of vectors is a module with `Vector`, which is `LANES` numbers; what makes it, `from_numbers` and `from_bytes`,
//! and `to_numbers`; `add` and `rotate_left`; and `transpose`, from vectors of neighbouring words of one input each to
//! vectors of one word of all inputs. No closures there, and none of the functions that take them: they do not have the
//! features of the processor, so they would be called.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

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
pub(crate) use each_step;

/// Makes what moves states and blocks into the lanes of a kind of vectors, and states out of them.
macro_rules! lanes_of_vectors {
    ($(with $features:literal)?) => {
        /// The states of all lanes as vectors, word by word.
        #[inline]
        $(#[target_feature(enable = $features)])?
        pub(crate) fn from_states<const WORDS: usize>(states: &[[u32; WORDS]; LANES]) -> [Vector; WORDS] {
            let mut vectors = [from_numbers([0; LANES]); WORDS];
            for word in 0..WORDS {
                let mut numbers = [0; LANES];
                for lane in 0..LANES {
                    numbers[lane] = states[lane][word];
                }
                vectors[word] = from_numbers(numbers);
            }
            vectors
        }

        /// The opposite of [`from_states`].
        #[inline]
        $(#[target_feature(enable = $features)])?
        pub(crate) fn to_states<const WORDS: usize>(vectors: &[Vector; WORDS]) -> [[u32; WORDS]; LANES] {
            let mut states = [[0; WORDS]; LANES];
            for word in 0..WORDS {
                let numbers = to_numbers(vectors[word]);
                for lane in 0..LANES {
                    states[lane][word] = numbers[lane];
                }
            }
            states
        }

        /// The words of a block: each vector has the same word of all inputs.
        #[inline]
        $(#[target_feature(enable = $features)])?
        pub(crate) fn load(inputs: &[&[Block]; LANES], block: usize) -> [Vector; 16] {
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
pub(crate) use lanes_of_vectors;

/// Makes what fills and reads vectors, where all their numbers count.
#[cfg(target_arch = "x86_64")]
macro_rules! whole_vectors {
    (with $features:literal) => {
        #[inline]
        #[target_feature(enable = $features)]
        pub(crate) fn from_numbers(numbers: [u32; LANES]) -> Vector {
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
use whole_vectors;

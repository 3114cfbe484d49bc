//! The tensor types of GGUF: numbers, names and block sizes, from ggml's `ggml.h`.

macro_rules! tensor_types {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $block:literal, $bytes:literal;)*) => {
        /// A tensor's element type as GGUF numbers it.
        ///
        /// All types that a valid file may name are here, also those without a kernel: a file's
        /// structure can be checked before anyone asks whether its weights can be multiplied.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum TensorType {
            $($(#[$doc])* $variant = $id,)*
        }

        impl TensorType {
            /// Every type, ascending by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The type with GGUF's number `id`; `None` for one that was never valid or that
            /// ggml removed.
            pub const fn from_id(id: u32) -> Option<Self> {
                match id {
                    $($id => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The field's name for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// Elements in a block: a row's length is a multiple of it.
            pub const fn block_elements(self) -> u64 {
                match self {
                    $(Self::$variant => $block,)*
                }
            }

            /// Bytes of a block.
            pub const fn block_bytes(self) -> u64 {
                match self {
                    $(Self::$variant => $bytes,)*
                }
            }
        }
    };
}

tensor_types! {
    /// IEEE 754 binary32.
    F32 = 0, 1, 4;
    /// IEEE 754 binary16.
    F16 = 1, 1, 2;
    /// 4 bits, f16 scale.
    Q4_0 = 2, 32, 18;
    /// 4 bits, f16 scale and minimum.
    Q4_1 = 3, 32, 20;
    /// 5 bits, f16 scale.
    Q5_0 = 6, 32, 22;
    /// 5 bits, f16 scale and minimum.
    Q5_1 = 7, 32, 24;
    /// 8 bits, f16 scale.
    Q8_0 = 8, 32, 34;
    /// 8 bits, f16 scale and sum: ggml's activations, never weights.
    Q8_1 = 9, 32, 36;
    /// 2 bits in 16 sub-blocks of 16.
    Q2_K = 10, 256, 84;
    /// 3 bits in 16 sub-blocks of 16.
    Q3_K = 11, 256, 110;
    /// 4 bits in 8 sub-blocks of 32.
    Q4_K = 12, 256, 144;
    /// 5 bits in 8 sub-blocks of 32.
    Q5_K = 13, 256, 176;
    /// 6 bits in 16 sub-blocks of 16.
    Q6_K = 14, 256, 210;
    /// 8 bits, f32 scale: ggml's activations, never weights.
    Q8_K = 15, 256, 292;
    /// Codebook, 2.06 bits.
    IQ2_XXS = 16, 256, 66;
    /// Codebook, 2.31 bits.
    IQ2_XS = 17, 256, 74;
    /// Codebook, 3.06 bits.
    IQ3_XXS = 18, 256, 98;
    /// Codebook, 1.56 bits.
    IQ1_S = 19, 256, 50;
    /// Non-linear 4 bits.
    IQ4_NL = 20, 32, 18;
    /// Codebook, 3.44 bits.
    IQ3_S = 21, 256, 110;
    /// Codebook, 2.5 bits.
    IQ2_S = 22, 256, 82;
    /// Non-linear 4 bits in super-blocks.
    IQ4_XS = 23, 256, 136;
    /// Signed byte.
    I8 = 24, 1, 1;
    /// Signed 16-bit integer.
    I16 = 25, 1, 2;
    /// Signed 32-bit integer.
    I32 = 26, 1, 4;
    /// Signed 64-bit integer.
    I64 = 27, 1, 8;
    /// IEEE 754 binary64.
    F64 = 28, 1, 8;
    /// Codebook, 1.75 bits.
    IQ1_M = 29, 256, 56;
    /// bfloat16.
    BF16 = 30, 1, 2;
    /// Ternary, 1.69 bits.
    TQ1_0 = 34, 256, 54;
    /// Ternary, 2.06 bits.
    TQ2_0 = 35, 256, 66;
    /// OCP microscaling FP4.
    MXFP4 = 39, 32, 17;
    /// NVIDIA FP4.
    NVFP4 = 40, 64, 36;
    /// 1 bit, f16 scale.
    Q1_0 = 41, 128, 18;
    /// 2 bits, f16 scale.
    Q2_0 = 42, 64, 18;
}

crate::mem::stored!(enum TensorType);

impl TensorType {
    /// Bytes of `elements` elements; `None` where they are not whole blocks or do not fit.
    pub const fn bytes_for(self, elements: u64) -> Option<u64> {
        if !elements.is_multiple_of(self.block_elements()) {
            return None;
        }
        (elements / self.block_elements()).checked_mul(self.block_bytes())
    }
}

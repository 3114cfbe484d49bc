//! NEON's arithmetic as safe functions.
//!
//! `core::arch` asks of whoever calls an intrinsic to have switched its instructions on, by an
//! attribute that trait methods and closures cannot carry, even where they are part of the target.
//! Here they are: `aarch64/mod.rs` leaves the kernels out where they are not.
// Unsafe: calls of intrinsics whose only condition is that the target has NEON.
#![allow(unsafe_code)]

pub(super) use core::arch::aarch64::{
    float32x4_t, float64x2_t, int8x8_t, int8x16_t, int16x4_t, int16x8_t, int32x4_t, int64x2_t,
    uint8x8_t, uint8x16_t, uint16x4_t, uint16x8_t, uint32x2_t, uint32x4_t, uint64x2_t,
};

const _: () = assert!(cfg!(target_feature = "neon"));

/// Wraps intrinsics that take and give registers only.
macro_rules! registers_only {
    ($(
        fn $name:ident $(<const $number:ident: i32>)? ($($argument:ident: $type:ty),*)
            -> $result:ty;
    )*) => {
        $(
            #[doc = concat!("`core::arch::aarch64::", stringify!($name), "`.")]
            #[inline(always)]
            pub(super) fn $name $(<const $number: i32>)? ($($argument: $type),*) -> $result {
                // SAFETY: the target has NEON, as asserted above; no memory is touched.
                unsafe { core::arch::aarch64::$name $(::<$number>)? ($($argument),*) }
            }
        )*
    };
}

registers_only! {
    fn vaddq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t;
    fn vaddq_s32(a: int32x4_t, b: int32x4_t) -> int32x4_t;
    fn vaddq_s8(a: int8x16_t, b: int8x16_t) -> int8x16_t;
    fn vaddq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t;
    fn vand_u8(a: uint8x8_t, b: uint8x8_t) -> uint8x8_t;
    fn vandq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t;
    fn vcombine_s16(a: int16x4_t, b: int16x4_t) -> int16x8_t;
    fn vcombine_s8(a: int8x8_t, b: int8x8_t) -> int8x16_t;
    fn vcombine_u8(a: uint8x8_t, b: uint8x8_t) -> uint8x16_t;
    fn vcreate_s8(a: u64) -> int8x8_t;
    fn vcreate_u8(a: u64) -> uint8x8_t;
    fn vcvtq_f32_s32(a: int32x4_t) -> float32x4_t;
    fn vdup_n_u32(value: u32) -> uint32x2_t;
    fn vdup_n_u8(value: u8) -> uint8x8_t;
    fn vdupq_n_f32(value: f32) -> float32x4_t;
    fn vdupq_n_s16(value: i16) -> int16x8_t;
    fn vdupq_n_s32(value: i32) -> int32x4_t;
    fn vdupq_n_s8(value: i8) -> int8x16_t;
    fn vdupq_n_u32(value: u32) -> uint32x4_t;
    fn vdupq_n_u64(value: u64) -> uint64x2_t;
    fn vdupq_n_u8(value: u8) -> uint8x16_t;
    fn vextq_s16<const N: i32>(a: int16x8_t, b: int16x8_t) -> int16x8_t;
    fn vget_high_s16(a: int16x8_t) -> int16x4_t;
    fn vget_low_s16(a: int16x8_t) -> int16x4_t;
    fn vget_low_s8(a: int8x16_t) -> int8x8_t;
    fn vget_low_u16(a: uint16x8_t) -> uint16x4_t;
    fn vmlal_high_s16(a: int32x4_t, b: int16x8_t, c: int16x8_t) -> int32x4_t;
    fn vmlal_s16(a: int32x4_t, b: int16x4_t, c: int16x4_t) -> int32x4_t;
    fn vmlaq_n_s32(a: int32x4_t, b: int32x4_t, c: i32) -> int32x4_t;
    fn vmlaq_s32(a: int32x4_t, b: int32x4_t, c: int32x4_t) -> int32x4_t;
    fn vmovl_high_s8(a: int8x16_t) -> int16x8_t;
    fn vmovl_s16(a: int16x4_t) -> int32x4_t;
    fn vmovl_s8(a: int8x8_t) -> int16x8_t;
    fn vmovl_u8(a: uint8x8_t) -> uint16x8_t;
    fn vmovn_u32(a: uint32x4_t) -> uint16x4_t;
    fn vmull_s16(a: int16x4_t, b: int16x4_t) -> int32x4_t;
    fn vmulq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t;
    fn vmulq_n_f32(a: float32x4_t, b: f32) -> float32x4_t;
    fn vpadalq_s16(a: int32x4_t, b: int16x8_t) -> int32x4_t;
    fn vpaddlq_s16(a: int16x8_t) -> int32x4_t;
    fn vpaddq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t;
    fn vpaddq_s16(a: int16x8_t, b: int16x8_t) -> int16x8_t;
    fn vpaddq_s32(a: int32x4_t, b: int32x4_t) -> int32x4_t;
    fn vqtbl1q_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t;
    fn vreinterpret_u32_u8(a: uint8x8_t) -> uint32x2_t;
    fn vreinterpret_u8_u32(a: uint32x2_t) -> uint8x8_t;
    fn vreinterpretq_f32_f64(a: float64x2_t) -> float32x4_t;
    fn vreinterpretq_f32_u32(a: uint32x4_t) -> float32x4_t;
    fn vreinterpretq_f32_u8(a: uint8x16_t) -> float32x4_t;
    fn vreinterpretq_f64_f32(a: float32x4_t) -> float64x2_t;
    fn vreinterpretq_s16_u16(a: uint16x8_t) -> int16x8_t;
    fn vreinterpretq_s32_s8(a: int8x16_t) -> int32x4_t;
    fn vreinterpretq_s64_s32(a: int32x4_t) -> int64x2_t;
    fn vreinterpretq_s8_s64(a: int64x2_t) -> int8x16_t;
    fn vreinterpretq_s8_u8(a: uint8x16_t) -> int8x16_t;
    fn vreinterpretq_u16_u8(a: uint8x16_t) -> uint16x8_t;
    fn vreinterpretq_u8_s8(a: int8x16_t) -> uint8x16_t;
    fn vreinterpretq_u8_u32(a: uint32x4_t) -> uint8x16_t;
    fn vreinterpretq_u8_u64(a: uint64x2_t) -> uint8x16_t;
    fn vshl_u8(a: uint8x8_t, b: int8x8_t) -> uint8x8_t;
    fn vshll_high_n_u16<const N: i32>(a: uint16x8_t) -> uint32x4_t;
    fn vshll_n_u16<const N: i32>(a: uint16x4_t) -> uint32x4_t;
    fn vshlq_u8(a: uint8x16_t, b: int8x16_t) -> uint8x16_t;
    fn vshr_n_u8<const N: i32>(a: uint8x8_t) -> uint8x8_t;
    fn vshrn_n_u32<const N: i32>(a: uint32x4_t) -> uint16x4_t;
    fn vshrq_n_u8<const N: i32>(a: uint8x16_t) -> uint8x16_t;
    fn vsli_n_u8<const N: i32>(a: uint8x8_t, b: uint8x8_t) -> uint8x8_t;
    fn vsliq_n_u8<const N: i32>(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t;
    fn vsriq_n_u8<const N: i32>(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t;
    fn vsubq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t;
    fn vsubq_s8(a: int8x16_t, b: int8x16_t) -> int8x16_t;
    fn vtrn1_u32(a: uint32x2_t, b: uint32x2_t) -> uint32x2_t;
    fn vtrn1q_s32(a: int32x4_t, b: int32x4_t) -> int32x4_t;
    fn vtrn1q_s64(a: int64x2_t, b: int64x2_t) -> int64x2_t;
    fn vtrn2_u32(a: uint32x2_t, b: uint32x2_t) -> uint32x2_t;
    fn vtrn2q_s32(a: int32x4_t, b: int32x4_t) -> int32x4_t;
    fn vtrn2q_s64(a: int64x2_t, b: int64x2_t) -> int64x2_t;
    fn vtstq_u8(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t;
    fn vzip1q_f64(a: float64x2_t, b: float64x2_t) -> float64x2_t;
    fn vzip1q_s16(a: int16x8_t, b: int16x8_t) -> int16x8_t;
    fn vzip2q_f64(a: float64x2_t, b: float64x2_t) -> float64x2_t;
    fn vzip2q_s16(a: int16x8_t, b: int16x8_t) -> int16x8_t;
}

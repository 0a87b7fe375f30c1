// Tensors as the kernels read them, shared by the CPU operations.
#pragma once

#include <ATen/core/Tensor.h>

#include "tasks.h"

namespace geoinv {

constexpr int64_t kPadding = 16;  // the widest vector, in floats

inline int64_t padded(int64_t count) { return (count + kPadding - 1) / kPadding * kPadding; }

// The best instruction set of this processor, or one of those below it: 0 generic, 1 AVX2, 2 AVX-512.
const Kernels& kernels_of(int64_t instructions);

// Planes [B, 3, C, R, R] whose channels lie side by side, their number a multiple of 16: the tensor itself where it is
// so already, as after a channels-last convolution.
at::Tensor by_pixel(const at::Tensor& planes);

// planes [B, 3, C, R, R] by pixel.
PlaneViews view_of(const at::Tensor& planes, double box_side, bool third_is_zx);

// Film [B, N, 2 H] as the kernels read it: [B, N, 2, padded H].
at::Tensor film_rows(const at::Tensor& film);

// Weights of the decoder in the orders that the kernels read.
struct Decoder {
  Decoder(const at::Tensor& hidden_weight, const at::Tensor& hidden_bias, const at::Tensor& output_weight,
          const at::Tensor& output_bias);
  at::Tensor hidden_rows, hidden_columns, hidden_bias_, output_rows, feature_matrix, feature_bias;
  DecoderViews views;
};

}  // namespace geoinv

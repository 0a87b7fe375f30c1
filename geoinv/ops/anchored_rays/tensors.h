// Tensors of anchored heads as the kernels read them.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <utility>
#include <vector>

#include "tasks.h"

// What every operation is given of heads: planes [B, 4, C, R, R], volumes [B, G, G, G, 8] and [B, F, F, F, 8], hidden
// weight [H, C + scales + 1], hidden bias [B, H], output weight [8, H] and bias [8], and `settings`, see settings.h.
#define GEOINV_HEAD_TENSORS                                                                                   \
  const at::Tensor &planes, const at::Tensor &whole, const at::Tensor &face, const at::Tensor &hidden_weight, \
      const at::Tensor &hidden_bias, const at::Tensor &output_weight, const at::Tensor &output_bias,          \
      at::ArrayRef<double> settings
#define GEOINV_HEAD_NAMES planes, whole, face, hidden_weight, hidden_bias, output_weight, output_bias, settings
#define GEOINV_HEAD_SCHEMA                                                                                    \
  "Tensor planes, Tensor whole, Tensor face, Tensor hidden_weight, Tensor hidden_bias, Tensor output_weight, " \
  "Tensor output_bias, float[] settings"

namespace geoinv {

// Views of heads, and the tensors that they look into where those had to be laid out anew.
struct HeadTensors {
  // settings: see settings.h.
  explicit HeadTensors(GEOINV_HEAD_TENSORS);

  // Sums over heads of what the kernels found, in the decoder's own layout: of hidden weight and bias (of each head), and
  // of output weight and bias.
  std::pair<at::Tensor, at::Tensor> hidden_gradients(const at::Tensor& v_columns, const at::Tensor& v_bias) const;
  std::pair<at::Tensor, at::Tensor> output_gradients(const at::Tensor& v_rows, const at::Tensor& v_bias) const;

  at::Tensor texels;  // [B, R, R, 4, padded C]: free of copies after a channels-last convolution of 32 channels
  at::Tensor whole, face, hidden_columns, hidden_rows, hidden_bias, output_columns, output_rows, output_bias;
  int64_t channels, units;
  Head views;
};

// Film [B, N, 2 H] as the kernels read it: [B, N, 2, padded H].
at::Tensor film_rows(const at::Tensor& film);

}  // namespace geoinv

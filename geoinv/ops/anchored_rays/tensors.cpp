// Tensors of anchored heads as the kernels read them.
#include "tensors.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>

#include "../scratch.h"
#include "settings.h"

namespace geoinv {
namespace {

constexpr int64_t kPadding = 16;  // the widest vector, in floats

at::Tensor padded_last(const at::Tensor& tensor) {
  const int64_t missing = rounded_up(tensor.size(-1), kPadding) - tensor.size(-1);
  return missing ? at::constant_pad_nd(tensor, {0, missing}) : tensor.contiguous();
}

}  // namespace

HeadTensors::HeadTensors(const at::Tensor& planes, const at::Tensor& whole_, const at::Tensor& face_,
                         const at::Tensor& hidden_weight, const at::Tensor& hidden_bias_,
                         const at::Tensor& output_weight, const at::Tensor& output_bias_,
                         at::ArrayRef<double> settings)
    : texels(padded_last(planes.permute({0, 3, 4, 1, 2})).contiguous()),
      whole(whole_.contiguous()),
      face(face_.contiguous()),
      channels(planes.size(2)),
      units(hidden_weight.size(0)) {
  const at::Tensor of_planes = padded_last(hidden_weight.narrow(1, 0, channels));  // [H, padded C]
  const at::Tensor others = hidden_weight.narrow(1, channels, hidden_weight.size(1) - channels);
  const int64_t more_units = rounded_up(units, kPadding) - units;
  hidden_columns = padded_last(at::cat({of_planes, others}, 1).t());
  hidden_rows = at::constant_pad_nd(of_planes, {0, 0, 0, more_units}).contiguous();
  hidden_bias = padded_last(hidden_bias_);
  // density comes last for the kernels
  const at::Tensor rows = at::cat({output_weight.narrow(0, 1, kFeatures), output_weight.narrow(0, 0, 1)});
  output_rows = padded_last(rows);
  output_columns = padded_last(output_rows.t());
  output_bias = padded_last(at::cat({output_bias_.narrow(0, 1, kFeatures), output_bias_.narrow(0, 0, 1)}));
  TORCH_CHECK(fits_settings(settings.size()), "at most ", kMostScales, " distance scales, got ", settings.size() - kSettings);
  set_settings(views, settings.data(), settings.size());
  views.anchor.whole = whole.const_data_ptr<float>(), views.anchor.face = face.const_data_ptr<float>();
  views.anchor.side = static_cast<int32_t>(whole.size(1)), views.anchor.face_side = static_cast<int32_t>(face.size(1));
  TORCH_CHECK(others.size(1) == views.space.scales + 1, "hidden weight must be [H, C + ", views.space.scales + 1, "]");
  views.planes.data = texels.const_data_ptr<float>(), views.planes.heads = planes.size(0);
  views.planes.side = static_cast<int32_t>(planes.size(3)), views.planes.channels = static_cast<int32_t>(texels.size(4));
  const int64_t most = std::max(texels[0].numel(), std::max(whole[0].numel(), face[0].numel()));
  TORCH_CHECK(most < (int64_t{1} << 31), "planes and volumes of one head must have less than 2^31 numbers");
  AnchoredDecoder& decoder = views.decoder;
  decoder.hidden = static_cast<int32_t>(hidden_bias.size(1)), decoder.told = static_cast<int32_t>(hidden_columns.size(0));
  decoder.hidden_columns = hidden_columns.const_data_ptr<float>();
  decoder.hidden_rows = hidden_rows.const_data_ptr<float>(), decoder.hidden_bias = hidden_bias.const_data_ptr<float>();
  decoder.output_columns = output_columns.const_data_ptr<float>();
  decoder.output_rows = output_rows.const_data_ptr<float>(), decoder.output_bias = output_bias.const_data_ptr<float>();
}

std::pair<at::Tensor, at::Tensor> HeadTensors::hidden_gradients(const at::Tensor& v_columns,
                                                                const at::Tensor& v_bias) const {
  const at::Tensor sum = v_columns.sum(0).narrow(1, 0, units).t();  // [H, padded C + scales + 1]
  const int64_t others = views.space.scales + 1;
  const at::Tensor v_weight = at::cat({sum.narrow(1, 0, channels), sum.narrow(1, sum.size(1) - others, others)}, 1);
  return {v_weight, v_bias.narrow(1, 0, units)};
}

std::pair<at::Tensor, at::Tensor> HeadTensors::output_gradients(const at::Tensor& v_rows, const at::Tensor& v_bias) const {
  const at::Tensor rows = v_rows.sum(0).narrow(1, 0, units), biases = v_bias.sum(0);
  return {at::cat({rows.narrow(0, kFeatures, 1), rows.narrow(0, 0, kFeatures)}),
          at::cat({biases.narrow(0, kFeatures, 1), biases.narrow(0, 0, kFeatures)})};
}

at::Tensor film_rows(const at::Tensor& film) { return padded_last(film.unflatten(2, {2, film.size(2) / 2})); }

}  // namespace geoinv

// Modulated 3 x 3 convolution of channels-last maps by Winograd's F(4 x 4, 3 x 3); scales of the input and output
// channels, noise, bias and activation ride on the transforms, so that a map is read once and written once.
//
// Upsampling: a stride-2 transposed convolution followed by the [1, 3, 3, 1] filter is the same as that filter at twice
// the side (bilinear interpolation) followed by the convolution. A tile of the output sees 4 x 4 pixels of the input, and
// the large map of the input is never made.
//
// A thread takes a block of tiles at a time: factors [36][tiles][C_in] of its inputs (in its caches), then for each panel
// of output channels 36 matrix products into [36][tiles][panel] and from there the outputs.
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#if defined(__AVX512F__)
#define GEOINV_LANES 16
#else
#define GEOINV_LANES 8  // AVX2; a compiler splits the vectors for narrower machines
#endif
#include "../lanes.h"
#include "../large_tensor.h"
#include "../parallel.h"
#include "modulated_conv2d.h"

namespace {

using namespace geoinv;

#if defined(__AVX512F__)
constexpr int kRows = 12;
#else
constexpr int kRows = 6;
#endif
constexpr int kPanel = 2 * kLanes;  // output channels of one matrix product

// weight [C_out, C_in, 3, 3] -> [C_out / panel, 36, C_in, panel]; a transposed convolution has its taps turned round.
at::Tensor transform_weight(const at::Tensor& weight, bool flip) {
  const int64_t out_channels = weight.size(0), in_channels = weight.size(1), panels = out_channels / kPanel;
  at::Tensor factors = empty_large({panels, kPositions, in_channels, kPanel});
  const float* from = weight.const_data_ptr<float>();
  float* to = factors.mutable_data_ptr<float>();
  parallel_for(0, panels * in_channels, 8, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t panel = task / in_channels, channel = task % in_channels;
      alignas(64) float taps[9][kPanel];
      for (int lane = 0; lane < kPanel; ++lane)
        for (int k = 0; k < 9; ++k)
          taps[flip ? 8 - k : k][lane] = from[((panel * kPanel + lane) * in_channels + channel) * 9 + k];
      float* base = to + (panel * kPositions * in_channels + channel) * kPanel;
      for (int half = 0; half < 2; ++half) {
        Vec values[9], rows[kWindow * 3], both[kPositions];
        for (int k = 0; k < 9; ++k) values[k] = load(&taps[k][half * kLanes]);
        for (int k = 0; k < 3; ++k) transform_filter(values + k, 3, rows + k, 3);
        for (int i = 0; i < kWindow; ++i) transform_filter(rows + i * 3, 1, both + i * kWindow, 1);
        for (int k = 0; k < kPositions; ++k) store(base + k * in_channels * kPanel + half * kLanes, both[k]);
      }
    }
  });
  return factors;
}

// out[rows][panel] = in[rows][depth] * weight[depth][panel], everything in registers but the inputs. `ahead` asks for the
// weights that follow these, which come from beyond the L2 cache: a fifth of the time, and half of it at 512 channels.
template <int rows, bool ahead>
inline void multiply_rows(const float* in, const float* weight, float* out, int64_t depth) {
  Vec sums[rows][2] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const Vec w0 = load(weight + k * kPanel), w1 = load(weight + k * kPanel + kLanes);
    if (ahead) {
      __builtin_prefetch(weight + (depth + k) * kPanel, 0, 2);
      __builtin_prefetch(weight + (depth + k) * kPanel + kLanes, 0, 2);
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const float x = in[r * depth + k];
      sums[r][0] += x * w0;
      sums[r][1] += x * w1;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
    store(out + r * kPanel, sums[r][0]);
    store(out + r * kPanel + kLanes, sums[r][1]);
  }
}

// The same for any number of rows.
inline void multiply(const float* in, const float* weight, float* out, int64_t depth, int64_t count) {
  const auto rows = [&]<int size, bool ahead>(int64_t first) {
    multiply_rows<size, ahead>(in + first * depth, weight, out + first * kPanel, depth);
  };
  constexpr int kFew = 4;  // sums enough to hide how long each takes
  int64_t row = 0;
  if (count >= kRows) rows.template operator()<kRows, true>(0), row = kRows;
  for (; row + kRows <= count; row += kRows) rows.template operator()<kRows, false>(row);
  if (count < kFew) {
    for (; row < count; ++row) rows.template operator()<1, false>(row);
  } else {  // the last may do some rows again
    for (; row < count; row += kFew) rows.template operator()<kFew, false>(std::min(row, count - kFew));
  }
}

struct Problem {
  int64_t batch, height, width, in_channels;
  int64_t out_height, out_width, out_channels;
  bool up;  // the output has twice the side
  int64_t tile_rows, tile_columns;  // of the output
  const float* features;  // [batch, height, width, in_channels]
  const float* factors;   // of transform_weight
  const float* styles;    // [batch, in_channels]
  const float* scale;     // [batch, out_channels] or null
  const float* noise;     // [out_height, out_width] or null
  const float* bias;      // [out_channels] or null
  float slope, gain, limit;
  float* output;  // [batch, out_height, out_width, out_channels]
};

struct Place {
  int64_t sample, row, column;  // of a tile
};

inline Place place_of(const Problem& p, int64_t tile) {
  return {tile / (p.tile_columns * p.tile_rows), tile / p.tile_columns % p.tile_rows, tile % p.tile_columns};
}

// Factors [36][tiles][C_in] of the tiles [first, first + count); zeros lie about the map.
template <bool up>
void transform_inputs(const Problem& p, int64_t first, int64_t count, int64_t stride, float* factors) {
  constexpr int side = up ? kSmallWindow : kWindow;
  constexpr int step = up ? kTile / 2 : kTile;
  for (int64_t t = 0; t < count; ++t) {
    const Place place = place_of(p, first + t);
    const float* pixels[side * side];  // null outside
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < side; ++j) {
        const int64_t y = place.row * step + i - 1, x = place.column * step + j - 1;
        const bool inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
        pixels[i * side + j] =
            inside ? p.features + ((place.sample * p.height + y) * p.width + x) * p.in_channels : nullptr;
      }
    for (int64_t c = 0; c < p.in_channels; c += kLanes) {
      const Vec style = load(p.styles + place.sample * p.in_channels + c);
      Vec rows[kWindow * side], both[kPositions];
      for (int j = 0; j < side; ++j) {
        Vec values[side];
        for (int i = 0; i < side; ++i) {
          const float* pixel = pixels[i * side + j];
          values[i] = pixel ? load(pixel + c) * style : Vec{};
        }
        transform_window<up>(values, 1, rows + j, side);
      }
      for (int i = 0; i < kWindow; ++i) transform_window<up>(rows + i * side, 1, both + i * kWindow, 1);
      for (int k = 0; k < kPositions; ++k) store(factors + k * stride + t * p.in_channels + c, both[k]);
    }
  }
}

// Products [36][tiles][panel] -> the outputs of one panel, with scale, noise, bias and activation.
void transform_outputs(const Problem& p, int64_t first, int64_t count, int64_t stride, const float* products,
                       int64_t panel) {
  for (int64_t t = 0; t < count; ++t) {
    const Place place = place_of(p, first + t);
    for (int half = 0; half < 2; ++half) {
      const int64_t c = panel * kPanel + half * kLanes;
      const Vec scale = p.scale ? load(p.scale + place.sample * p.out_channels + c) : Vec{} + 1.0f;
      const Vec bias = p.bias ? load(p.bias + c) : Vec{};
      Vec rows[kTile * kWindow], both[kTile * kTile];
      for (int j = 0; j < kWindow; ++j) {
        Vec values[kWindow];
        for (int i = 0; i < kWindow; ++i)
          values[i] = load(products + (i * kWindow + j) * stride + t * kPanel + half * kLanes);
        transform_output(values, 1, rows + j, kWindow);
      }
      for (int i = 0; i < kTile; ++i) transform_output(rows + i * kWindow, 1, both + i * kTile, 1);
      for (int i = 0; i < kTile && place.row * kTile + i < p.out_height; ++i)
        for (int j = 0; j < kTile && place.column * kTile + j < p.out_width; ++j) {
          const int64_t y = place.row * kTile + i, x = place.column * kTile + j;
          Vec value = both[i * kTile + j] * scale + bias;
          if (p.noise) value += p.noise[y * p.out_width + x];
          value = p.gain * (value > 0.0f ? value : value * p.slope);
          value = value > p.limit ? Vec{} + p.limit : value;
          value = value < -p.limit ? Vec{} - p.limit : value;
          store(p.output + ((place.sample * p.out_height + y) * p.out_width + x) * p.out_channels + c, value);
        }
    }
  }
}

void convolve_tiles(const Problem& p, int64_t first, int64_t count, int64_t capacity, float* factors, float* products) {
  // a little more than a power of two, or the 36 streams share one set of the cache
  const int64_t in_stride = capacity * p.in_channels + kLanes, out_stride = capacity * kPanel + kLanes;
  p.up ? transform_inputs<true>(p, first, count, in_stride, factors)
       : transform_inputs<false>(p, first, count, in_stride, factors);
  for (int64_t panel = 0; panel < p.out_channels / kPanel; ++panel) {
    for (int k = 0; k < kPositions; ++k) {
      const float* weight = p.factors + (panel * kPositions + k) * p.in_channels * kPanel;
      multiply(factors + k * in_stride, weight, products + k * out_stride, p.in_channels, count);
    }
    transform_outputs(p, first, count, out_stride, products, panel);
  }
}

const float* data_or_null(const std::optional<at::Tensor>& tensor) {
  if (!tensor.has_value()) return nullptr;
  TORCH_CHECK(tensor->is_contiguous() && tensor->scalar_type() == at::kFloat, "optional inputs must be contiguous float");
  return tensor->const_data_ptr<float>();
}

// weight [C_out, C_in, k, k] -> [C_out, C_in] sums of the squares of the taps.
at::Tensor energy(const at::Tensor& weight) {
  TORCH_CHECK(weight.dim() == 4 && weight.is_contiguous(), "weight must be contiguous [C_out, C_in, k, k]");
  const int64_t taps = weight.size(2) * weight.size(3);
  at::Tensor sums = at::empty({weight.size(0), weight.size(1)}, weight.options());
  const float* from = weight.const_data_ptr<float>();
  float* to = sums.mutable_data_ptr<float>();
  parallel_for(0, sums.numel(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float sum = 0.0f;
      for (int64_t k = 0; k < taps; ++k) sum += from[i * taps + k] * from[i * taps + k];
      to[i] = sum;
    }
  });
  return sums;
}

// features [B, H, W, C_in] -> [B, H, W, C_out] or [B, 2H, 2W, C_out]
at::Tensor forward(const at::Tensor& features, const at::Tensor& weight, const at::Tensor& styles,
                   const std::optional<at::Tensor>& scale, const std::optional<at::Tensor>& noise,
                   const std::optional<at::Tensor>& bias, bool up, double slope, double gain,
                   double limit) {
  TORCH_CHECK(features.is_contiguous() && styles.is_contiguous(), "features and styles must be contiguous");
  Problem p{};
  p.batch = features.size(0), p.height = features.size(1), p.width = features.size(2), p.in_channels = features.size(3);
  p.up = up, p.out_height = p.height * (up ? 2 : 1), p.out_width = p.width * (up ? 2 : 1);
  p.out_channels = weight.size(0);
  TORCH_CHECK(p.in_channels % kLanes == 0 && weight.size(1) == p.in_channels, "C_in must be a multiple of ", kLanes);
  TORCH_CHECK(p.out_channels % kPanel == 0 && weight.is_contiguous(), "C_out must be a multiple of ", kPanel);
  p.tile_rows = (p.out_height + kTile - 1) / kTile, p.tile_columns = (p.out_width + kTile - 1) / kTile;
  const at::Tensor factors = transform_weight(weight, up);
  at::Tensor output = empty_large({p.batch, p.out_height, p.out_width, p.out_channels});
  p.features = features.const_data_ptr<float>(), p.factors = factors.const_data_ptr<float>();
  p.styles = styles.const_data_ptr<float>(), p.output = output.mutable_data_ptr<float>();
  p.scale = data_or_null(scale), p.noise = data_or_null(noise), p.bias = data_or_null(bias);
  p.slope = static_cast<float>(slope), p.gain = static_cast<float>(gain), p.limit = static_cast<float>(limit);
  // of a block: at most so many tiles that its factors and a panel's weights come from the caches at 256 channels, and as
  // many blocks for each thread
  constexpr int64_t kMostTiles = 48;
  const int64_t tiles = p.batch * p.tile_rows * p.tile_columns, threads = at::get_num_threads();
  const int64_t by_thread = (tiles + threads - 1) / threads, rounds = (by_thread + kMostTiles - 1) / kMostTiles;
  const int64_t capacity = std::max<int64_t>((by_thread + rounds - 1) / std::max<int64_t>(rounds, 1), 1);
  const int64_t blocks = (tiles + capacity - 1) / capacity;
  parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> inputs(kPositions * (capacity * p.in_channels + kLanes));
    std::vector<float> products(kPositions * (capacity * kPanel + kLanes));
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * capacity;
      convolve_tiles(p, first, std::min(capacity, tiles - first), capacity, inputs.data(), products.data());
    }
  });
  return output;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(geoinv, library) {
  library.def(
      "modulated_conv2d_forward(Tensor features, Tensor weight, Tensor styles, Tensor? scale, Tensor? noise, "
      "Tensor? bias, bool up, float slope, float gain, float limit) -> Tensor",
      forward);
  library.def("modulated_conv2d_energy(Tensor weight) -> Tensor", energy);
}

// What all rays of a head share. Hidden planes: the decoder's first layer is linear, as sampling is, so that it can be
// applied to the planes' pixels instead of to every sample. Bounds: on a grid of cells, more than which raw density
// cannot be anywhere in a cell; found from the extremes of each hidden unit over the pixels that the cell can read.
#pragma once

#include "samples.h"

namespace geoinv {
namespace {

// Row `row` of hidden plane `plane`.
static void prepare_row(const PrepareTask& task, int64_t head, int64_t plane, int64_t row) {
  const PlaneViews& planes = task.planes;
  const int64_t hidden = task.decoder.hidden, side = planes.side;
  const float* in = planes.data + head * planes.head_stride + plane * planes.plane_stride + row * planes.row_stride;
  float* out = task.hidden_planes + ((head * 3 + plane) * side + row) * side * hidden;
  product<Start::zero>(in, planes.pixel_stride, 1, side, task.decoder.hidden_columns, hidden, planes.channels, hidden,
                       out, hidden);
}

struct Span {
  int64_t first, last;
  bool has_outside;  // where a plane counts as zero
};

// The pixels between which coordinates of cell `cell` can fall, along one axis.
GEOINV_INLINE Span pixels_of_cell(int64_t cell, int64_t cells, int64_t side) {
  constexpr float kSlack = 1e-3f;  // pixels; rounding must not let a sample read what its cell has not seen
  const float by_cell = static_cast<float>(side) / static_cast<float>(cells);
  const float low = static_cast<float>(cell) * by_cell - 0.5f - kSlack;
  const float high = static_cast<float>(cell + 1) * by_cell - 0.5f + kSlack;
  const int64_t first = static_cast<int64_t>(low + 1.0f) - 1, last = static_cast<int64_t>(high) + 1;
  return {first < 0 ? 0 : first, last < side ? last : side - 1, first < 0 || last >= side};
}

// Row `row` of cells of plane `plane`: for each hidden unit, a third of its extreme over the pixels of a cell. The
// largest where the unit makes raw density larger, otherwise the smallest.
static void prepare_maxima(const PrepareTask& task, int64_t head, int64_t plane, int64_t row) {
  const int64_t hidden = task.decoder.hidden, side = task.planes.side, cells = task.cells;
  const float* density_row = task.decoder.output_rows + task.decoder.features * hidden;
  const float* pixels = task.hidden_planes + (head * 3 + plane) * side * side * hidden;
  const Span rows = pixels_of_cell(row, cells, side);
  for (int64_t column = 0; column < cells; ++column) {
    const Span columns = pixels_of_cell(column, cells, side);
    float* out = task.column_maxima + (((head * 3 + plane) * cells + row) * cells + column) * hidden;
    for (int64_t h = 0; h < hidden; h += kLanes) {
      const Vec effect = load(density_row + h);
      Vec largest = Vec{} + (rows.has_outside || columns.has_outside ? 0.0f : -3e38f), smallest = -largest;
      for (int64_t r = rows.first; r <= rows.last; ++r) {
        for (int64_t c = columns.first; c <= columns.last; ++c) {
          const Vec value = load(pixels + (r * side + c) * hidden + h);
          largest = value > largest ? value : largest;
          smallest = value < smallest ? value : smallest;
        }
      }
      store(out + h, (effect > 0.0f ? largest : smallest) * (1.0f / 3.0f));
    }
  }
}

// Bounds of the cells of one layer in z. A cell inside of a coarser one that is empty takes the coarser one's bound.
static void prepare_bounds(const PrepareTask& task, int64_t head, int64_t z) {
  constexpr float kSlack = 0.02f;  // rounding of sums of hundreds
  const int64_t hidden = task.decoder.hidden, cells = task.cells, layer = cells * cells;
  const float* density_row = task.decoder.output_rows + task.decoder.features * hidden;
  const float* maxima = task.column_maxima + head * 3 * layer * hidden;
  const float* coarse = task.coarse ? task.coarse + head * layer * cells / 8 : nullptr;
  float* out = task.bounds + (head * cells + z) * layer;
  for (int64_t y = 0; y < cells; ++y) {
    for (int64_t x = 0; x < cells; ++x) {
      if (coarse) {
        const float parent = coarse[((z / 2) * (cells / 2) + y / 2) * (cells / 2) + x / 2];
        if (parent < task.limit) {
          out[y * cells + x] = parent;
          continue;
        }
      }
      const float* first = maxima + (y * cells + x) * hidden;
      const float* second = maxima + (layer + z * cells + x) * hidden;
      const float* third = maxima + (2 * layer + (task.planes.third_is_zx ? x : y) * cells + z) * hidden;
      Vec sum = {};
      for (int64_t h = 0; h < hidden; h += kLanes) {
        const Vec before = load(first + h) + load(second + h) + load(third + h) + load(task.decoder.hidden_bias + h);
        sum += softplus_of(before) * load(density_row + h);
      }
      out[y * cells + x] = sum_of(sum) + task.decoder.density_bias + kSlack;
    }
  }
}

}  // namespace
}  // namespace geoinv

// What all rays of a head share. Hidden planes: the decoder's first layer is linear, as sampling is, so that it can be
// applied to the planes' pixels instead of to every sample. Bounds: on a grid of cells, more than which raw density
// cannot be anywhere in a cell; found from the extremes of each hidden unit's planes over the cell.
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

// Where coordinates of one cell can fall along one axis, in pixels; neighbours of the first and last may lie outside.
struct Span {
  int64_t first, last;  // the pixels before its beginning and before its end
  float begins, ends;   // behind those, as shares of a pixel
};

GEOINV_INLINE Span pixels_of_cell(int64_t cell, int64_t cells, int64_t side) {
  constexpr float kSlack = 1e-3f;  // pixels; rounding must not let a sample read what its cell has not seen
  const float by_cell = static_cast<float>(side) / static_cast<float>(cells);
  const float low = static_cast<float>(cell) * by_cell - 0.5f - kSlack;
  const float high = static_cast<float>(cell + 1) * by_cell - 0.5f + kSlack;
  const int64_t first = static_cast<int64_t>(low + 1.0f) - 1, last = static_cast<int64_t>(high);
  return {first, last, low - static_cast<float>(first), high - static_cast<float>(last)};
}

// Row `row` of cells of plane `plane`: for each hidden unit, a third of its extreme over a cell. The largest where the
// unit makes raw density larger, otherwise the smallest. Between four pixels a plane is bilinear, so that its extremes
// lie at pixels and where the cell's border crosses the lines between them.
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
      Vec largest = Vec{} - 3e38f, smallest = Vec{} + 3e38f;
      auto note = [&](Vec value) {
        largest = value > largest ? value : largest;
        smallest = value < smallest ? value : smallest;
      };
      auto pixel = [&](int64_t r, int64_t c) {
        return r >= 0 && c >= 0 && r < side && c < side ? load(pixels + (r * side + c) * hidden + h) : Vec{};
      };
      auto note_row = [&](int64_t r, float share) {  // between rows r and r + 1
        auto at = [&](int64_t c) {
          const Vec value = pixel(r, c);
          return share == 0.0f ? value : value + (pixel(r + 1, c) - value) * share;
        };
        Vec before = at(columns.first);
        for (int64_t c = columns.first + 1; c <= columns.last; ++c) {
          const Vec value = at(c);
          if (c == columns.first + 1) note(before + (value - before) * columns.begins);
          note(value);
          before = value;
        }
        note(before + (at(columns.last + 1) - before) * columns.ends);
      };
      note_row(rows.first, rows.begins);
      for (int64_t r = rows.first + 1; r <= rows.last; ++r) note_row(r, 0.0f);
      note_row(rows.last, rows.ends);
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

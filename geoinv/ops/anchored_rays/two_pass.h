// Two-pass rendering: the field that waves of samples go through, and the densities from which empty space is known.
#pragma once

#include "../render_rays/waves.h"
#include "samples.h"

namespace geoinv {
namespace {

// One anchored head. Of a sample its hidden units are kept, and behind them its anchor, which has the mesh's normal.
struct AnchoredField {
  const Head& head;
  int64_t index;
  Samples samples;
  float* told;  // [kWaveSamples, told_stride]
  float *x, *y, *z;
  int64_t units, row, columns = kOutputColumns, features = kFeatures;

  AnchoredField(const Head& of_all, int64_t number, float*& scratch) : head(of_all), index(number) {
    samples = samples_in(scratch, kWaveSamples);
    told = take(scratch, kWaveSamples * told_stride(head));
    x = samples.x, y = samples.y, z = samples.z;
    units = head.decoder.hidden, row = row_of(head);
  }

  static int64_t row_of(const Head& head) { return head.decoder.hidden + rounded_up(kAnchorChannels, kLanes); }

  void decode(int64_t count, float* rows, float* raw) const {
    tell(samples, count, head, index, told);
    decode_density(samples, count, head, index, told, rows, row, raw);
    for (int64_t i = 0; i < count; ++i)
      store_eight(rows + i * row + units, load_eight(samples.anchor + i * kAnchorChannels));
  }

  void color(const float* rows, int64_t count, float* colors) const {
    decode_features(count, head, rows, row, rows + units, row, colors);
  }
};

}  // namespace

int64_t render_scratch(const AnchoredRender& task) {
  return samples_scratch(kWaveSamples) + kWaveSamples * told_stride(task.head) +
         packet_scratch(task, AnchoredField::row_of(task.head), kOutputColumns);
}

void render_packet(const AnchoredRender& task, int64_t head, int64_t packet, float* scratch) {
  const AnchoredField field(task.head, head, scratch);
  render_waves(task, field, head, packet, scratch);
}

int64_t corners_scratch(const CornerTask& task) {
  return samples_scratch(kWaveSamples) + kWaveSamples * (told_stride(task.head) + AnchoredField::row_of(task.head) + 1) +
         16 * 32;
}

// Densities of one layer in z.
void corners_layer(const CornerTask& task, int64_t head, int64_t z, float* scratch) {
  const AnchoredField field(task.head, head, scratch);
  float* rows = take(scratch, kWaveSamples * field.row);
  float* raw = take(scratch, kWaveSamples + 16);
  const int64_t corners = task.cells + 1;
  const float step = task.box_side / static_cast<float>(task.cells), half = 0.5f * task.box_side;
  float* out = task.raw + (head * corners + z) * corners * corners;
  for (int64_t first = 0; first < corners * corners; first += kWaveSamples) {
    const int64_t left = corners * corners - first, count = left < kWaveSamples ? left : kWaveSamples;
    for (int64_t i = 0; i < count; ++i) {
      field.x[i] = static_cast<float>((first + i) % corners) * step - half;
      field.y[i] = static_cast<float>((first + i) / corners) * step - half;
      field.z[i] = static_cast<float>(z) * step - half;
    }
    field.decode(count, rows, raw);
    for (int64_t i = 0; i < count; ++i) out[first + i] = raw[i];
  }
}

}  // namespace geoinv

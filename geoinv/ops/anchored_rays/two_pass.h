// Two-pass rendering: the field that waves of samples go through, and the densities from which empty space is known.
#pragma once

#include "../render_rays/waves.h"
#include "samples.h"

namespace geoinv {
namespace {

// One anchored head. Of a sample the decoder's outputs are kept, and behind them its anchor, which has the mesh's normal.
struct AnchoredField {
  const Head& head;
  int64_t index;
  Samples samples;
  float* told;    // [kWaveSamples, told_stride]
  float* hidden;  // [kWaveSamples, hidden]
  float *x, *y, *z;
  static constexpr int64_t row = kOutputs + kAnchorChannels, columns = row, features = kFeatures, units = 0;

  AnchoredField(const Head& of_all, int64_t number, float*& scratch) : head(of_all), index(number) {
    samples = samples_in(scratch, kWaveSamples);
    told = take(scratch, kWaveSamples * told_stride(head));
    hidden = take(scratch, kWaveSamples * head.decoder.hidden);
    x = samples.x, y = samples.y, z = samples.z;
  }

  static int64_t field_scratch(const Head& head) {
    return samples_scratch(kWaveSamples) + kWaveSamples * (told_stride(head) + head.decoder.hidden);
  }

  void decode(int64_t count, float* rows, float* raw) const {
    tell(samples, count, head, index, told);
    decode_hidden(count, head, index, told, hidden);
    decode_outputs(count, head.decoder, hidden, rows);
    density_of(samples, count, head, rows, raw);
    for (int64_t i = 0; i < count; ++i)
      store_eight(rows + i * row + kOutputs, load_eight(samples.anchor + i * kAnchorChannels));
  }

  void color(const float* rows, int64_t count, float* colors) const {
    for (int64_t i = 0; i < count; ++i)
      store_eight(colors + i * columns, features_of(rows + i * row, rows + i * row + kOutputs));
  }
};

}  // namespace

int64_t render_scratch(const AnchoredRender& task) {
  return AnchoredField::field_scratch(task.head) + packet_scratch(task, AnchoredField::row, AnchoredField::columns);
}

void render_packet(const AnchoredRender& task, int64_t head, int64_t packet, float* scratch) {
  const AnchoredField field(task.head, head, scratch);
  render_waves(task, field, head, packet, scratch);
}

int64_t corners_scratch(const CornerTask& task) {
  return AnchoredField::field_scratch(task.head) + kWaveSamples * (AnchoredField::row + 1) + 16 * 32;
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

// Two-pass rendering of prepared heads: the field that waves of samples go through.
#pragma once

#include "samples.h"
#include "waves.h"

namespace geoinv {
namespace {

// Hidden planes of one head: a sample's hidden units are the sum of twelve pixels and a bias.
struct PreparedField {
  const RenderTask& task;
  const float* planes;  // of the head
  Samples samples;
  float *x, *y, *z;
  int64_t units, row, columns, features;

  PreparedField(const RenderTask& of_all, int64_t head, float*& scratch) : task(of_all) {
    planes = task.planes.data + head * task.planes.head_stride;
    samples = samples_in(scratch, kWaveSamples);
    x = samples.x, y = samples.y, z = samples.z;
    units = row = task.decoder.hidden, columns = task.decoder.feature_columns, features = task.decoder.features;
  }

  void decode(int64_t count, float* rows, float* raw) const {
    for (int64_t i = 0; i < count; i += kLanes) {
      store(x + i, load(x + i) * task.planes.scale), store(y + i, load(y + i) * task.planes.scale);
      store(z + i, load(z + i) * task.planes.scale);
    }
    find_corners(samples, count, task.planes);
    gather_pixels(samples, count, planes, units, task.decoder.hidden_bias, rows);
    activate_hidden(rows, count, task.decoder, raw);
  }

  void color(const float* rows, int64_t count, float* colors) const { decode_colors(rows, count, task.decoder, colors); }
};

static int64_t render_scratch(const RenderTask& task) {
  return samples_scratch(kWaveSamples) + packet_scratch(task, task.decoder.hidden, task.decoder.feature_columns);
}

static void render_packet(const RenderTask& task, int64_t head, int64_t packet, float* scratch) {
  const PreparedField field(task, head, scratch);
  render_waves(task, field, head, packet, scratch);
}

}  // namespace
}  // namespace geoinv

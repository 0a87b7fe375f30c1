// Two-pass rendering of packets of rays. Both passes go from front to back in waves: each ray names its next few
// samples that are worth decoding, those of all rays are decoded together, and rays that see nothing more end. Colours
// come last, for the samples that count.
#pragma once

#include "film.h"

namespace geoinv {
namespace {

constexpr int64_t kWave = 8;                               // samples of one ray in a wave
constexpr int64_t kWaveSamples = kWave * kPacketRays;      // a multiple of 16
constexpr float kUnbounded = 3e38f;

// One ray with its samples in ascending order.
struct RayLine {
  const float* origin;
  const float* direction;
  float* t;         // [count]
  float* bound;     // [count] more than which raw density is not
  float* raw;       // [count], once decoded
  int32_t* slot;    // [count] row of the packet's hidden units, or -1
  float* weight;    // [count] of the interval after each sample; the last is 0
  int64_t count;
  int64_t reached;  // samples looked at
  float clear;      // how much is left to see
  bool is_live;
};

struct Packet {
  Samples samples;
  float* hidden;     // [rays * samples, hidden], rows in the order of decoding
  int64_t used;      // rows
  float* fresh_raw;  // [kWaveSamples + 16] of a wave
  float *first_raw, *second_raw, *length;  // [kWaveSamples + kPacketRays + 16] intervals of a wave
  float* intervals_alpha;
  float* chosen;     // [kWaveSamples, hidden] rows that get colours
  float* colors;     // [kWaveSamples, feature_columns]
  float* seen;       // [kPacketRays, feature_columns]
  float* fine;       // [fine_samples]
  float* rows;       // of the lines below
  RayLine coarse[kPacketRays], merged[kPacketRays];
  float* sample_ray[kWaveSamples];  // where the features of a chosen sample's ray are summed
  float sample_share[kWaveSamples];
  RayLine* sample_line[kWaveSamples];
  int64_t sample_index[kWaveSamples];
};

GEOINV_INLINE int64_t samples_of(const RenderTask& task) { return task.coarse_samples + task.fine_samples; }

static int64_t render_scratch(const RenderTask& task) {
  const int64_t in_packet = kPacketRays * samples_of(task), wave = kWaveSamples + kPacketRays + 16;
  const int64_t lines = kPacketRays * 5 * (rounded_up(task.coarse_samples, 16) + rounded_up(samples_of(task), 16));
  return samples_scratch(kWaveSamples) + (in_packet + kWaveSamples) * task.decoder.hidden + 5 * wave +
         (kWaveSamples + kPacketRays) * task.decoder.feature_columns + task.fine_samples + lines + 16 * 32;
}

GEOINV_INLINE void set_line(RayLine& line, float*& scratch, const float* origin, const float* direction,
                            int64_t count) {
  line.origin = origin, line.direction = direction, line.count = count;
  line.t = take(scratch, count), line.bound = take(scratch, count), line.raw = take(scratch, count);
  line.slot = reinterpret_cast<int32_t*>(take(scratch, count)), line.weight = take(scratch, count);
  for (int64_t i = 0; i < count; ++i) line.slot[i] = -1, line.weight[i] = 0.0f;
  line.reached = 0, line.clear = 1.0f, line.is_live = true;
}

GEOINV_INLINE void set_packet(Packet& packet, const RenderTask& task, float* scratch) {
  constexpr int64_t kIntervals = kWaveSamples + kPacketRays + 16;
  packet.samples = samples_in(scratch, kWaveSamples);
  packet.hidden = take(scratch, kPacketRays * samples_of(task) * task.decoder.hidden);
  packet.used = 0;
  packet.fresh_raw = take(scratch, kIntervals);
  packet.first_raw = take(scratch, kIntervals), packet.second_raw = take(scratch, kIntervals);
  packet.length = take(scratch, kIntervals), packet.intervals_alpha = take(scratch, kIntervals);
  packet.chosen = take(scratch, kWaveSamples * task.decoder.hidden);
  packet.colors = take(scratch, kWaveSamples * task.decoder.feature_columns);
  packet.seen = take(scratch, kPacketRays * task.decoder.feature_columns);
  packet.fine = take(scratch, task.fine_samples);
  packet.rows = scratch;
}

// More than which raw density is not at distance t of a ray.
GEOINV_INLINE float bound_at(const RenderTask& task, const float* bounds, const float* o, const float* d, float t) {
  if (!bounds) return kUnbounded;
  const float scale = static_cast<float>(task.cells) / task.box_side, half = 0.5f * static_cast<float>(task.cells);
  const float x = (o[0] + d[0] * t) * scale + half, y = (o[1] + d[1] * t) * scale + half;
  const float z = (o[2] + d[2] * t) * scale + half, end = static_cast<float>(task.cells);
  if (!(x >= 0.0f && y >= 0.0f && z >= 0.0f && x < end && y < end && z < end)) return kUnbounded;
  const int64_t column = static_cast<int64_t>(x), row = static_cast<int64_t>(y), layer = static_cast<int64_t>(z);
  return bounds[(layer * task.cells + row) * task.cells + column];
}

// Whether something may be seen between sample i and the next.
GEOINV_INLINE bool has_interval(const RenderTask& task, const RayLine& line, int64_t i) {
  return i >= 0 && i + 1 < line.count && 0.5f * line.bound[i] + 0.5f * line.bound[i + 1] > task.empty_raw;
}

// Decodes the density of the wave's first `count` samples.
static void decode_wave(const RenderTask& task, Packet& packet, int64_t count, const float* head) {
  const Samples& samples = packet.samples;
  for (int64_t i = 0; i < count; ++i) {
    const RayLine& line = *packet.sample_line[i];
    const float t = line.t[packet.sample_index[i]];
    samples.x[i] = (line.origin[0] + line.direction[0] * t) * task.planes.scale;
    samples.y[i] = (line.origin[1] + line.direction[1] * t) * task.planes.scale;
    samples.z[i] = (line.origin[2] + line.direction[2] * t) * task.planes.scale;
  }
  find_corners(samples, count, task.planes);
  float* hidden = packet.hidden + packet.used * task.decoder.hidden;
  gather_pixels(samples, count, head, task.planes.channels, task.decoder.hidden_bias, hidden);
  activate_hidden(hidden, count, task.decoder, packet.fresh_raw);
  for (int64_t i = 0; i < count; ++i) {
    RayLine& line = *packet.sample_line[i];
    line.raw[packet.sample_index[i]] = packet.fresh_raw[i];
    line.slot[packet.sample_index[i]] = static_cast<int32_t>(packet.used + i);
  }
  packet.used += count;
}

// Looks at the next samples of a ray, until kWave of them are to be decoded; returns how many are in the wave now.
GEOINV_INLINE int64_t name_samples(const RenderTask& task, Packet& packet, RayLine& line, int64_t named) {
  const int64_t end = named + kWave;
  bool has_before = has_interval(task, line, line.reached - 1);
  while (line.reached < line.count && named < end) {
    const bool has_after = has_interval(task, line, line.reached);
    if ((has_before || has_after) && line.slot[line.reached] < 0) {
      packet.sample_line[named] = &line, packet.sample_index[named] = line.reached;
      ++named;
    }
    has_before = has_after;
    ++line.reached;
  }
  return named;
}

// Weights of the intervals of `line` from sample `from` on that the last waves have made known.
GEOINV_INLINE void weigh_intervals(const RenderTask& task, Packet& packet, RayLine& line, int64_t from) {
  while (from + 1 < line.reached && line.is_live) {
    int64_t count = 0, to = from;
    for (; to + 1 < line.reached && count < kWaveSamples; ++to) {
      if (!has_interval(task, line, to)) continue;
      packet.first_raw[count] = line.raw[to], packet.second_raw[count] = line.raw[to + 1];
      packet.length[count++] = line.t[to + 1] - line.t[to];
    }
    for (int64_t i = 0; i < count; i += kLanes)
      store(packet.intervals_alpha + i, interval_alpha(load(packet.first_raw + i), load(packet.second_raw + i),
                                                       load(packet.length + i)));
    count = 0;
    for (; from < to; ++from) {
      if (!has_interval(task, line, from)) continue;
      const float alpha = packet.intervals_alpha[count++];
      line.weight[from] = alpha * line.clear;
      line.clear = left_clear(line.clear, alpha);
      if (line.clear < task.stop_clear) {
        line.is_live = false;
        break;
      }
    }
  }
}

// All waves of one pass: weights of the intervals of each line.
static void see_lines(const RenderTask& task, Packet& packet, RayLine* lines, int64_t rays, const float* head) {
  for (bool has_more = true; has_more;) {
    int64_t named = 0, from[kPacketRays];
    has_more = false;
    for (int64_t i = 0; i < rays; ++i) {
      from[i] = lines[i].reached > 0 ? lines[i].reached - 1 : 0;
      if (lines[i].is_live) named = name_samples(task, packet, lines[i], named);
    }
    if (named) decode_wave(task, packet, named, head);
    for (int64_t i = 0; i < rays; ++i) {
      if (!lines[i].is_live) continue;
      weigh_intervals(task, packet, lines[i], from[i]);
      if (lines[i].reached == lines[i].count) lines[i].is_live = false;
      has_more |= lines[i].is_live;
    }
  }
}

// Samples of both passes in one ascending line; what the first pass decoded is kept.
GEOINV_INLINE void merge_line(const RenderTask& task, const RayLine& coarse, const float* fine, const float* bounds,
                              RayLine& merged) {
  int64_t c = 0, f = 0;
  for (int64_t i = 0; i < merged.count; ++i) {
    if (f == task.fine_samples || (c < coarse.count && coarse.t[c] <= fine[f])) {
      merged.t[i] = coarse.t[c], merged.bound[i] = coarse.bound[c], merged.raw[i] = coarse.raw[c];
      merged.slot[i] = coarse.slot[c++];
    } else {
      merged.t[i] = fine[f++];
      merged.bound[i] = bound_at(task, bounds, merged.origin, merged.direction, merged.t[i]);
    }
  }
}

// Adds the colours of the first `count` chosen samples to their rays.
static void add_colors(const RenderTask& task, Packet& packet, int64_t count) {
  const int64_t columns = task.decoder.feature_columns;
  decode_colors(packet.chosen, count, task.decoder, packet.colors);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < columns; c += kLanes)
      store(packet.sample_ray[i] + c,
            load(packet.sample_ray[i] + c) + load(packet.colors + i * columns + c) * packet.sample_share[i]);
}

// packet.seen: colours of the samples that count, summed along each line; `film` is of the first line, or null. Colours
// keep within their range whatever a film does, so what the others lack keeps its bound.
static void color_lines(const RenderTask& task, Packet& packet, const RayLine* lines, int64_t rays,
                        const float* film) {
  const int64_t hidden = task.decoder.hidden, columns = task.decoder.feature_columns;
  int64_t count = 0;
  for (int64_t i = 0; i < rays * columns; ++i) packet.seen[i] = 0.0f;
  for (int64_t i = 0; i < rays; ++i) {
    float before = 0.0f;
    for (int64_t s = 0; s < lines[i].count; ++s) {
      const float share = 0.5f * (before + lines[i].weight[s]);
      before = lines[i].weight[s];
      if (!(share > task.least_share)) continue;
      const float* row = packet.hidden + lines[i].slot[s] * hidden;
      float* chosen = packet.chosen + count * hidden;
      if (film)
        modulate_hidden(row, 1, film + i * 2 * hidden, hidden, chosen);
      else
        for (int64_t h = 0; h < hidden; h += kLanes) store(chosen + h, load(row + h));
      packet.sample_ray[count] = packet.seen + i * columns, packet.sample_share[count++] = share;
      if (count == kWaveSamples) add_colors(task, packet, count), count = 0;
    }
  }
  add_colors(task, packet, count);
}

// Alpha and mean distance of a line whose weights are known.
GEOINV_INLINE void sum_line(const RayLine& line, float& alpha, float& distance) {
  float total = 0.0f, sum = 0.0f;
  for (int64_t s = 0; s + 1 < line.count; ++s)
    total += line.weight[s], sum += line.weight[s] * 0.5f * (line.t[s] + line.t[s + 1]);
  const float first = line.t[0], last = line.t[line.count - 1];
  alpha = total;
  distance = total > kHitAlpha ? sum / total : last;
  distance = distance < first ? first : distance > last ? last : distance;
}

static void render_packet(const RenderTask& task, int64_t head, int64_t packet_index, float* scratch) {
  Packet packet;
  set_packet(packet, task, scratch);
  const int64_t begin = packet_index * kPacketRays, features = task.decoder.features;
  const int64_t rays = task.rays - begin < kPacketRays ? task.rays - begin : kPacketRays;
  const int64_t first_ray = head * task.rays + begin, cells = task.cells;
  const float* planes = task.planes.data + head * task.planes.head_stride;
  const float* bounds = task.bounds ? task.bounds + head * cells * cells * cells : nullptr;
  float* rows = packet.rows;
  for (int64_t i = 0; i < rays; ++i) {
    RayLine& line = packet.coarse[i];
    set_line(line, rows, task.origins + (first_ray + i) * 3, task.directions + (first_ray + i) * 3,
             task.coarse_samples);
    float near = task.near, far = task.far;
    if (task.has_box_limits) box_limits(line.origin, line.direction, task.box_side, near, far);
    for (int64_t s = 0; s < line.count; ++s) {
      line.t[s] = even_depth(near, far, static_cast<int>(s), task.coarse_samples);
      line.bound[s] = bound_at(task, bounds, line.origin, line.direction, line.t[s]);
    }
  }
  see_lines(task, packet, packet.coarse, rays, planes);
  RayLine* lines = packet.coarse;
  if (task.fine_samples) {
    lines = packet.merged;
    for (int64_t i = 0; i < rays; ++i) {
      const RayLine& coarse = packet.coarse[i];
      importance_depths(coarse.t, coarse.weight, task.coarse_samples, task.fine_samples, packet.fine);
      set_line(lines[i], rows, coarse.origin, coarse.direction, samples_of(task));
      merge_line(task, coarse, packet.fine, bounds, lines[i]);
    }
  }
  if (task.fine_samples) see_lines(task, packet, lines, rays, planes);
  color_lines(task, packet, lines, rays, task.film ? task.film + first_ray * 2 * task.decoder.hidden : nullptr);
  for (int64_t i = 0; i < rays; ++i) {
    sum_line(lines[i], task.alpha[first_ray + i], task.distance[first_ray + i]);
    for (int64_t c = 0; c < features; ++c)
      task.features[(first_ray + i) * features + c] = packet.seen[i * task.decoder.feature_columns + c];
  }
}

}  // namespace
}  // namespace geoinv

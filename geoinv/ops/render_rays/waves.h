// Two-pass rendering of packets of rays. Both passes go from front to back in waves: each ray names its next few
// samples that are worth decoding, those of all rays are decoded together, and rays that see nothing more end. Colours
// come last, for the samples that count. What is decoded is a Field's affair, of this or another operation:
//
//   x, y, z                                    of a wave's samples in world units, [kWaveSamples], to be set
//   units                                      hidden units of a sample
//   row                                        floats that are kept of a decoded sample: the units, then its own
//   columns, features                          floats in a row of colours, and how many of them count
//   decode(count, rows, raw)                   the first `count` samples: rows [count, row], raw densities [count]
//   color(rows, count, colors)                 rows [count, row], units as colours read them -> colours [count, columns]
#pragma once

#include "../film_units.h"
#include "../products.h"
#include "../scratch.h"
#include "wave_task.h"

namespace geoinv {
namespace {

constexpr int64_t kWave = 4;                               // samples of one ray in a wave
constexpr int64_t kWaveSamples = kWave * kPacketRays;      // a multiple of 16
constexpr float kUnbounded = 3e38f;

// One ray with its samples in ascending order; arrays are read in whole vectors, past `count`.
struct RayLine {
  const float* origin;
  const float* direction;
  float* t;            // [count]; of the first pass: then those of the second
  float* bound;        // [count] more than which raw density is not
  float* raw;          // [count], once decoded
  int32_t* slot;       // [count] row of the packet's kept ones, or -1
  float* weight;       // [count] of the interval after each sample; the last is 0
  int32_t* to_decode;  // [decodes] samples beside a visible interval that are not decoded yet
  int32_t* visible;    // [intervals] those in which something may be seen
  int64_t count;
  int64_t decodes, intervals;
  int64_t next_decode, next_interval, known_interval;
  float transmittance;  // of what is in front of the next interval
  bool is_live;
};

struct Packet {
  float* kept;       // [rays * samples, row], in the order of decoding
  int64_t used;      // rows
  float* fresh_raw;  // [kWaveSamples + 16] of a wave
  float *first_raw, *second_raw, *length;  // [rays * samples + 16] intervals that a wave has made known
  float* intervals_alpha;
  float* chosen;     // [kWaveSamples, row] those that get colours
  float* colors;     // [kWaveSamples, columns]
  float* seen;       // [kPacketRays, columns]
  float* shares;     // [coarse_samples + 16] of the second pass, between the midpoints of the first
  float* rows;       // of the lines below
  RayLine coarse[kPacketRays], merged[kPacketRays];
  float* sample_ray[kWaveSamples];  // where the features of a chosen sample's ray are summed
  float sample_share[kWaveSamples];
  RayLine* sample_line[kWaveSamples];
  int64_t sample_index[kWaveSamples];
};

GEOINV_INLINE int64_t samples_of(const WaveTask& task) { return task.coarse_samples + task.fine_samples; }

GEOINV_INLINE int64_t packet_scratch(const WaveTask& task, int64_t row, int64_t columns) {
  const int64_t in_packet = kPacketRays * samples_of(task);
  const int64_t lines = 2 * kPacketRays * 7 * rounded_up(samples_of(task) + 16, 16);
  return (in_packet + kWaveSamples) * row + 5 * (in_packet + 16) + (kWaveSamples + kPacketRays) * columns +
         task.coarse_samples + lines + 16 * 32;
}

GEOINV_INLINE void set_line(RayLine& line, float*& scratch, const float* origin, const float* direction,
                            int64_t count, int64_t capacity) {
  const int64_t size = rounded_up(capacity + 16, 16);
  line.origin = origin, line.direction = direction, line.count = count;
  line.t = take(scratch, size), line.bound = take(scratch, size), line.raw = take(scratch, size);
  line.slot = reinterpret_cast<int32_t*>(take(scratch, size)), line.weight = take(scratch, size);
  line.to_decode = reinterpret_cast<int32_t*>(take(scratch, size));
  line.visible = reinterpret_cast<int32_t*>(take(scratch, size));
  for (int64_t i = 0; i < size; i += kLanes)
    store(line.t + i, Vec{}), store(line.raw + i, Vec{}), store(line.weight + i, Vec{}), store(line.slot + i, IntVec{} - 1);
  line.transmittance = 1.0f;
}

template <class Field>
GEOINV_INLINE void set_packet(Packet& packet, const WaveTask& task, const Field& field, float* scratch) {
  const int64_t intervals = kPacketRays * samples_of(task) + 16;
  packet.kept = take(scratch, kPacketRays * samples_of(task) * field.row);
  packet.used = 0;
  packet.fresh_raw = take(scratch, kWaveSamples + 16);
  packet.first_raw = take(scratch, intervals), packet.second_raw = take(scratch, intervals);
  packet.length = take(scratch, intervals), packet.intervals_alpha = take(scratch, intervals);
  packet.chosen = take(scratch, kWaveSamples * field.row);
  packet.colors = take(scratch, kWaveSamples * field.columns);
  packet.seen = take(scratch, kPacketRays * field.columns);
  packet.shares = take(scratch, task.coarse_samples + 16);
  packet.rows = scratch;
}

// bound [count]: more than which raw density is not at distances t of a ray.
GEOINV_INLINE void find_bounds(const WaveTask& task, const float* bounds, const float* o, const float* d,
                               const float* t, int64_t count, float* bound) {
  const float scale = static_cast<float>(task.cells) / task.box_side, half = 0.5f * static_cast<float>(task.cells);
  const float end = static_cast<float>(task.cells);
  for (int64_t i = 0; i < count; i += kLanes) {
    if (!bounds) {
      store(bound + i, Vec{} + kUnbounded);
      continue;
    }
    const Vec at = load(t + i);
    Vec x = (o[0] + d[0] * at) * scale + half, y = (o[1] + d[1] * at) * scale + half;
    Vec z = (o[2] + d[2] * at) * scale + half;
    const auto inside = (x >= 0.0f) & (y >= 0.0f) & (z >= 0.0f) & (x < end) & (y < end) & (z < end);
    x = inside ? x : Vec{}, y = inside ? y : Vec{}, z = inside ? z : Vec{};
    const IntVec row = converted<IntVec>(z) * task.cells + converted<IntVec>(y);
    const IntVec cell = row * task.cells + converted<IntVec>(x);
    int32_t cells[kLanes];
    store(cells, cell);
    for (int lane = 0; lane < kLanes; ++lane) bound[i + lane] = bounds[cells[lane]];
    store(bound + i, inside ? load(bound + i) : Vec{} + kUnbounded);
  }
}

// Which samples are to be decoded, and which intervals to be weighed: those where something may be seen.
GEOINV_INLINE void plan_line(const WaveTask& task, RayLine& line) {
  int64_t decodes = 0, intervals = 0;
  bool before = false;
  for (int64_t i = 0; i < line.count; ++i) {  // without a branch: which way it went could not be guessed
    const bool after = (i + 1 < line.count) & (0.5f * line.bound[i] + 0.5f * line.bound[i + 1] > task.empty_raw);
    line.visible[intervals] = static_cast<int32_t>(i), line.to_decode[decodes] = static_cast<int32_t>(i);
    intervals += after, decodes += (before | after) & (line.slot[i] < 0);
    before = after;
  }
  line.decodes = decodes, line.intervals = intervals, line.next_decode = line.next_interval = 0;
  line.is_live = intervals > 0;
}

// Decodes the density of the wave's first `count` samples.
template <class Field>
static void decode_wave(Packet& packet, const Field& field, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const RayLine& line = *packet.sample_line[i];
    const float t = line.t[packet.sample_index[i]];
    field.x[i] = line.origin[0] + line.direction[0] * t;
    field.y[i] = line.origin[1] + line.direction[1] * t;
    field.z[i] = line.origin[2] + line.direction[2] * t;
  }
  field.decode(count, packet.kept + packet.used * field.row, packet.fresh_raw);
  for (int64_t i = 0; i < count; ++i) {
    RayLine& line = *packet.sample_line[i];
    line.raw[packet.sample_index[i]] = packet.fresh_raw[i];
    line.slot[packet.sample_index[i]] = static_cast<int32_t>(packet.used + i);
  }
  packet.used += count;
}

// Names the next kWave samples of each ray, neighbouring rays' side by side, which read the same pixels; returns how many.
GEOINV_INLINE int64_t name_samples(Packet& packet, RayLine* lines, int64_t rays) {
  int64_t named = 0;
  for (int64_t turn = 0; turn < kWave; ++turn) {
    for (int64_t i = 0; i < rays; ++i) {
      RayLine& line = lines[i];
      if (!line.is_live || line.next_decode == line.decodes) continue;
      packet.sample_line[named] = &line, packet.sample_index[named++] = line.to_decode[line.next_decode++];
    }
  }
  return named;
}

// Appends the intervals of a line that the last wave has made known; returns how many there are now.
GEOINV_INLINE int64_t note_intervals(Packet& packet, RayLine& line, int64_t noted) {
  const int64_t known = line.next_decode < line.decodes ? line.to_decode[line.next_decode] : line.count;
  int64_t k = line.next_interval;
  for (; k < line.intervals && line.visible[k] + 1 < known; ++k, ++noted) {
    const int64_t i = line.visible[k];
    packet.first_raw[noted] = line.raw[i], packet.second_raw[noted] = line.raw[i + 1];
    packet.length[noted] = line.t[i + 1] - line.t[i];
  }
  line.known_interval = k;
  return noted;
}

// Weights of the intervals that were noted, given their opacity.
GEOINV_INLINE void weigh_intervals(const WaveTask& task, RayLine& line, const float* alpha) {
  float transmittance = line.transmittance;
  while (line.next_interval < line.known_interval && transmittance >= task.min_transmittance) {
    line.weight[line.visible[line.next_interval++]] = *alpha * transmittance;
    transmittance = transmittance_after(transmittance, *alpha++);
  }
  line.transmittance = transmittance;
  line.is_live = line.next_interval < line.intervals && transmittance >= task.min_transmittance;
}

// All waves of one pass: weights of the intervals of each line.
template <class Field>
static void see_lines(const WaveTask& task, Packet& packet, const Field& field, RayLine* lines, int64_t rays) {
  bool has_more = false;
  for (int64_t i = 0; i < rays; ++i) {
    plan_line(task, lines[i]);
    has_more |= lines[i].is_live;
  }
  while (has_more) {
    const int64_t named = name_samples(packet, lines, rays);
    if (named) decode_wave(packet, field, named);
    int64_t noted = 0, first[kPacketRays];
    for (int64_t i = 0; i < rays; ++i) {
      first[i] = noted;
      if (lines[i].is_live) noted = note_intervals(packet, lines[i], noted);
    }
    for (int64_t i = 0; i < noted; i += kLanes)
      store(packet.intervals_alpha + i, interval_alpha(load(packet.first_raw + i), load(packet.second_raw + i),
                                                       load(packet.length + i)));
    has_more = false;
    for (int64_t i = 0; i < rays; ++i) {
      if (lines[i].is_live) weigh_intervals(task, lines[i], packet.intervals_alpha + first[i]);
      has_more |= lines[i].is_live;
    }
  }
}

// Distances of the second pass and their bounds, behind those of the first.
GEOINV_INLINE void add_fine_samples(const WaveTask& task, const Packet& packet, RayLine& line, const float* bounds) {
  const int64_t bins = task.coarse_samples - 3, first = task.coarse_samples;
  Vec sums = {};
  for (int64_t i = 0; i < bins; i += kLanes) {
    const Vec importance =
        importance_between(load(line.weight + i), load(line.weight + i + 1), load(line.weight + i + 2));
    store(packet.shares + i, importance);
    sums += lane_numbers() < static_cast<int32_t>(bins - i) ? importance : Vec{};
  }
  const float sum = sum_of(sums);
  for (int64_t i = 0; i < bins; i += kLanes) store(packet.shares + i, load(packet.shares + i) / sum);
  quantile_distances(line.t, [&](int bin) { return packet.shares[bin]; }, static_cast<int>(bins), task.fine_samples,
                  line.t + first);
  find_bounds(task, bounds, line.origin, line.direction, line.t + first, task.fine_samples, line.bound + first);
}

// before [count]: how many of `others` are less than each value of `t`, or not more if `with_equal`. Comparing all with
// all is cheaper than a merge, whose every step waits for the one before.
template <bool with_equal>
GEOINV_INLINE void count_before(const float* t, int64_t count, const float* others, int64_t other_count, int32_t* before) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Vec values = load(t + i);
    IntVec sum = {};
    for (int64_t k = 0; k < other_count; ++k) {
      const Vec other = Vec{} + others[k];
      sum -= with_equal ? other <= values : other < values;
    }
    store(before + i, sum);
  }
}

// Samples of both passes in one ascending line; what the first pass decoded is kept.
GEOINV_INLINE void merge_line(const WaveTask& task, const RayLine& both, RayLine& merged) {
  const int64_t coarse = task.coarse_samples, fine = task.fine_samples;
  int32_t* const before = merged.to_decode;  // free until the line is planned
  auto place = [&](int64_t from, int64_t at) {
    merged.t[at] = both.t[from], merged.bound[at] = both.bound[from], merged.raw[at] = both.raw[from];
    merged.slot[at] = both.slot[from];
  };
  count_before<false>(both.t, coarse, both.t + coarse, fine, before);
  for (int64_t i = 0; i < coarse; ++i) place(i, i + before[i]);
  count_before<true>(both.t + coarse, fine, both.t, coarse, before);
  for (int64_t i = 0; i < fine; ++i) place(coarse + i, i + before[i]);
}

// Adds the colours of the first `count` chosen samples to their rays.
template <class Field>
static void add_colors(Packet& packet, const Field& field, int64_t count) {
  const int64_t columns = field.columns;
  field.color(packet.chosen, count, packet.colors);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < columns; c += kLanes)
      store(packet.sample_ray[i] + c,
            load(packet.sample_ray[i] + c) + load(packet.colors + i * columns + c) * packet.sample_share[i]);
}

// packet.seen: colours of the samples that count, summed along each line; `film` is of the first line, or null. Colours
// keep within their range whatever a film does, so what the others lack keeps its bound.
template <class Field>
static void color_lines(const WaveTask& task, Packet& packet, const Field& field, const RayLine* lines, int64_t rays,
                        const float* film) {
  int64_t count = 0;
  for (int64_t i = 0; i < rays * field.columns; ++i) packet.seen[i] = 0.0f;
  for (int64_t i = 0; i < rays; ++i) {
    float before = 0.0f;
    for (int64_t s = 0; s < lines[i].count; ++s) {
      const float share = 0.5f * (before + lines[i].weight[s]);
      before = lines[i].weight[s];
      if (!(share > task.least_share)) continue;
      const float* row = packet.kept + lines[i].slot[s] * field.row;
      float* chosen = packet.chosen + count * field.row;
      if (film) modulate_hidden(row, 1, film + i * 2 * field.units, field.units, chosen);
      for (int64_t h = film ? field.units : 0; h < field.row; h += kLanes) store(chosen + h, load(row + h));
      packet.sample_ray[count] = packet.seen + i * field.columns, packet.sample_share[count++] = share;
      if (count == kWaveSamples) add_colors(packet, field, count), count = 0;
    }
  }
  add_colors(packet, field, count);
}

// Alpha and mean distance of a line whose weights are known.
GEOINV_INLINE void sum_line(const RayLine& line, float& alpha, float& distance) {
  Vec totals = {}, sums = {};
  for (int64_t s = 0; s + 1 < line.count; s += kLanes) {
    const Vec weight = load(line.weight + s);
    totals += weight, sums += weight * 0.5f * (load(line.t + s) + load(line.t + s + 1));
  }
  const float total = sum_of(totals), sum = sum_of(sums);
  const float first = line.t[0], last = line.t[line.count - 1];
  alpha = total;
  distance = total > kHitAlpha ? sum / total : last;
  distance = distance < first ? first : distance > last ? last : distance;
}

// Rays of packet `index` of a head through its field.
template <class Field>
static void render_waves(const WaveTask& task, const Field& field, int64_t head, int64_t index, float* scratch) {
  Packet packet;
  set_packet(packet, task, field, scratch);
  const int64_t begin = index * kPacketRays, features = field.features;
  const int64_t rays = task.rays - begin < kPacketRays ? task.rays - begin : kPacketRays;
  const int64_t first_ray = head * task.rays + begin, cells = task.cells;
  const float* bounds = task.bounds ? task.bounds + head * cells * cells * cells : nullptr;
  float* rows = packet.rows;
  for (int64_t i = 0; i < rays; ++i) {
    RayLine& line = packet.coarse[i];
    set_line(line, rows, task.origins + (first_ray + i) * 3, task.directions + (first_ray + i) * 3,
             task.coarse_samples, samples_of(task));
    float near = task.near, far = task.far;
    if (task.has_box_limits) box_limits(line.origin, line.direction, task.box_side, near, far);
    for (int64_t s = 0; s < line.count; ++s) line.t[s] = even_distance(near, far, static_cast<int>(s), task.coarse_samples);
    find_bounds(task, bounds, line.origin, line.direction, line.t, line.count, line.bound);
  }
  see_lines(task, packet, field, packet.coarse, rays);
  RayLine* lines = packet.coarse;
  if (task.fine_samples) {
    lines = packet.merged;
    for (int64_t i = 0; i < rays; ++i) {
      RayLine& coarse = packet.coarse[i];
      add_fine_samples(task, packet, coarse, bounds);
      set_line(lines[i], rows, coarse.origin, coarse.direction, samples_of(task), samples_of(task));
      merge_line(task, coarse, lines[i]);
    }
    see_lines(task, packet, field, lines, rays);
  }
  color_lines(task, packet, field, lines, rays, task.film ? task.film + first_ray * 2 * field.units : nullptr);
  for (int64_t i = 0; i < rays; ++i) {
    sum_line(lines[i], task.alpha[first_ray + i], task.distance[first_ray + i]);
    for (int64_t c = 0; c < features; ++c)
      task.features[(first_ray + i) * features + c] = packet.seen[i * field.columns + c];
  }
}

}  // namespace
}  // namespace geoinv

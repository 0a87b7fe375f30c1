"""GLSL programs of the head renderer: skin, eyes, plain solids and hair, under one light model.

    color = (albedo * shade(n)) + gloss,   shade(n) = sum_k light[k] Y_k(n) + lamp * max(0, n . lamp_direction)

in linear RGB, where albedo has the ambient occlusion in it and n is the normal that is written; see
:mod:`geoinv.light`. Colour and albedo are written as premultiplied display values, normals as ``(n / 2 + 1 / 2) *
alpha``.
"""

from __future__ import annotations

MOST_LAYERS = 5
"""Textures that make one skin; each costs a look-up for every pixel."""

_LIGHT = """
uniform vec3 light[9], main_direction, lamp_color, gleam_color, eye_position;
layout(location = 0) out vec4 out_color;
layout(location = 1) out vec4 out_normal;
layout(location = 2) out vec4 out_albedo;
vec3 shade(vec3 n) {
    vec3 soft = 0.28209479 * light[0] + 0.48860251 * (n.y * light[1] + n.z * light[2] + n.x * light[3])
        + 1.09254843 * (n.x * n.y * light[4] + n.y * n.z * light[5] + n.x * n.z * light[7])
        + 0.31539157 * (3.0 * n.z * n.z - 1.0) * light[6] + 0.54627422 * (n.x * n.x - n.y * n.y) * light[8];
    return max(soft, 0.0) + lamp_color * max(dot(n, main_direction), 0.0);
}
vec3 occluded(vec3 albedo, float open) {  // light that comes by way of the surface around takes on its colour
    return albedo * open * mix(vec3(1.0), albedo * 0.5 + 0.5, 1.0 - open);
}
vec3 shine(vec3 n, vec3 position, float open, float gloss, float power) {
    vec3 view = normalize(eye_position - position);
    vec3 halfway = normalize(main_direction + view);
    float facing = max(dot(n, main_direction) + 0.1, 0.0);
    float spot = pow(max(dot(n, halfway), 0.0), power) * facing * power * 0.1;
    float rim = pow(1.0 - max(dot(n, view), 0.0), 4.0) * 0.6;
    return gloss * open * (gleam_color * spot + shade(n) * rim);
}
void emit(vec3 albedo, vec3 gloss, vec3 n, float alpha) {
    vec3 bounded = clamp(albedo, 0.0, 1.0);
    out_color = vec4(pow(clamp(bounded * shade(n) + gloss, 0.0, 1.0), vec3(1.0 / 2.2)) * alpha, alpha);
    out_normal = vec4((n * 0.5 + 0.5) * alpha, alpha);
    out_albedo = vec4(pow(bounded, vec3(1.0 / 2.2)) * alpha, alpha);
}
float hash(vec3 p) { p = fract(p * 0.3183 + 0.1); p *= 17.0; return fract(p.x * p.y * p.z * (p.x + p.y + p.z)); }
float noise(vec3 p) {
    vec3 i = floor(p), f = fract(p); f = f * f * (3.0 - 2.0 * f);
    return mix(mix(mix(hash(i), hash(i + vec3(1,0,0)), f.x),
                   mix(hash(i + vec3(0,1,0)), hash(i + vec3(1,1,0)), f.x), f.y),
               mix(mix(hash(i + vec3(0,0,1)), hash(i + vec3(1,0,1)), f.x),
                   mix(hash(i + vec3(0,1,1)), hash(i + vec3(1,1,1)), f.x), f.y), f.z);
}
"""

_COLLAR = """
uniform float collar_height, v_neck;
float collar(vec3 rest) {
    float edge = -0.305 + collar_height + 0.55 * (0.02 - rest.z);
    edge = min(edge, -0.17 + collar_height);
    float notch = max(0.0, 1.0 - abs(rest.x) / 0.11) * smoothstep(-0.03, 0.06, rest.z);
    return edge - 0.10 * v_neck * notch - rest.y;
}
"""

SKIN_VERTEX = (
    "#version 330\n"
    + _COLLAR
    + """
in vec3 in_position, in_normal, in_rest; in vec2 in_uv; in vec4 in_beard; in float in_open, in_scalp;
uniform mat4 mvp; uniform vec4 beard; uniform float beard_length, tuck;
out vec3 position, normal, rest; out vec2 uv; out float open, scalp, beard_amount;
void main() {
    beard_amount = clamp(dot(in_beard, beard), 0.0, 1.0);
    float cloth = smoothstep(-0.006, 0.02, collar(in_rest));
    float offset = 0.012 * cloth + 0.028 * beard_length * beard_amount * beard_amount * (1.0 - cloth);
    offset -= tuck * smoothstep(0.6, 1.0, in_scalp);  // so that no scalp pokes through the hair
    position = clamp(in_position + in_normal * offset, -0.495, 0.495);
    normal = in_normal; rest = in_rest; uv = in_uv; open = in_open; scalp = in_scalp;
    gl_Position = mvp * vec4(position, 1.0);
}"""
)

SKIN_FRAGMENT = (
    f"#version 330\n#define MOST_LAYERS {MOST_LAYERS}\n"
    + _LIGHT
    + _COLLAR
    + """
in vec3 position, normal, rest; in vec2 uv; in float open, scalp, beard_amount;
uniform sampler2DArray skins; uniform int layer_count; uniform float layers[MOST_LAYERS], weights[MOST_LAYERS];
uniform vec3 skin_tint, hair_color, cloth_color;
uniform float gloss, buzz, dark, beard_length, beard_density, redness, freckles;
vec3 complexion(vec3 albedo) {  // nose and cheeks are redder, and have freckles
    if (rest.z < 0.08) return albedo;
    vec2 cheek = (vec2(abs(rest.x), rest.y) - vec2(0.105, -0.025)) / 0.05, nose = (rest.xy - vec2(0.0, -0.02)) / 0.032;
    float flush = exp(-dot(cheek, cheek)) + 0.8 * exp(-dot(nose, nose));
    albedo *= mix(vec3(1.0), vec3(1.10, 0.84, 0.80), min(flush, 1.0) * redness);
    if (freckles > 0.01) {
        vec2 wide = (vec2(abs(rest.x), rest.y) - vec2(0.075, 0.0)) / vec2(0.10, 0.07);
        float spots = smoothstep(0.55, 0.95, noise(rest * 210.0) * (0.7 + 0.6 * noise(rest * 60.0)));
        albedo *= 1.0 - freckles * spots * exp(-dot(wide, wide)) * vec3(0.30, 0.42, 0.50);
    }
    return albedo;
}
void main() {
    vec3 n = normalize(normal);
    float seen = open;
    if (position.y < -0.4945) { n = vec3(0.0, -1.0, 0.0); seen = 0.5; }  // flattened onto the box
    else if (abs(position.x) > 0.4945) { n = vec3(sign(position.x), 0.0, 0.0); seen = 0.5; }
    float cut = collar(rest);
    float softness = fwidth(cut) * 0.75 + 1e-5;
    float cloth = smoothstep(-softness, softness, cut);
    vec3 color = vec3(0.0), gleam = vec3(0.0);
    if (cloth < 1.0) {
        vec3 albedo = vec3(0.0);
        for (int i = 0; i < layer_count; i++) {
            albedo += weights[i] * texture(skins, vec3(uv, layers[i])).rgb;
        }
        albedo = pow(albedo, vec3(2.2)) * skin_tint;
        float grey = dot(albedo, vec3(0.25, 0.65, 0.1));
        albedo = complexion(mix(albedo, grey * vec3(1.45, 0.92, 0.62), 0.45 * dark));
        float matte = 1.0;
        if (max(scalp * buzz, beard_amount) > 0.004) {
            float grain = noise(rest * vec3(420.0, 160.0, 420.0));
            float fray = 0.35 * (grain - 0.5) + 0.3 * (noise(rest * vec3(240.0, 110.0, 240.0)) - 0.5);
            float hair = smoothstep(0.25, 0.85, scalp + fray * min(scalp * 4.0, 1.0)) * buzz * (0.8 + 0.4 * grain);
            float grown = beard_amount / max(beard_density, 0.01);
            float bush = smoothstep(0.08, 0.7, grown + fray * min(grown * 4.0, 1.0)) * beard_density;
            bush *= (0.6 + 0.8 * grain) * 1.15;
            albedo = mix(albedo, hair_color * (0.7 + 0.6 * grain), clamp(max(hair, bush), 0.0, 0.95));
            matte = 1.0 - 0.8 * min(max(hair, bush), 1.0);
        }
        color = occluded(albedo, seen);
        gleam = shine(n, position, seen, gloss * matte, 16.0);
    }
    if (cloth > 0.0) {
        float hem = smoothstep(0.016, 0.013, cut) * 0.22;
        float fold = 0.92 + 0.16 * noise(rest * vec3(14.0, 9.0, 14.0));
        vec3 fabric = cloth_color * fold * (1.0 - hem);
        color = mix(color, occluded(fabric, mix(seen, 1.0, 0.3)), cloth);
        gleam *= 1.0 - cloth;
    }
    emit(color, gleam, n, 1.0);
}"""
)

SOLID_VERTEX = """#version 330
in vec3 in_position, in_normal, in_color; in float in_open;
uniform mat4 mvp;
out vec3 position, normal, color; out float open;
void main() { position = in_position; normal = in_normal; color = in_color; open = in_open;
    gl_Position = mvp * vec4(position, 1.0); }"""

SOLID_FRAGMENT = (
    "#version 330\n"
    + _LIGHT
    + """
in vec3 position, normal, color; in float open;
uniform float gloss;
void main() {
    vec3 n = normalize(normal);
    emit(occluded(color, open), shine(n, position, open, gloss, 40.0), n, 1.0);
}"""
)

EYE_VERTEX = """#version 330
in vec3 in_position, in_normal, in_local; in float in_open;
uniform mat4 mvp;
out vec3 position, normal, local; out float open;
void main() { position = in_position; normal = in_normal; local = in_local; open = in_open;
    gl_Position = mvp * vec4(position, 1.0); }"""

EYE_FRAGMENT = (
    "#version 330\n"
    + _LIGHT
    + """
in vec3 position, normal, local; in float open;
uniform vec3 iris_color; uniform vec2 gaze;
void main() {
    vec3 n = normalize(normal);
    vec2 q = normalize(local).xy - gaze;
    float r = length(q), angle = atan(q.y, q.x);
    vec3 white = mix(vec3(0.62, 0.58, 0.55), vec3(0.50, 0.30, 0.26), smoothstep(0.45, 0.95, r));
    float fibre = 0.8 + 0.25 * sin(angle * 19.0 + 3.0 * sin(angle * 5.0)) + 0.9 * smoothstep(0.12, 0.33, r) * 0.5;
    vec3 iris = iris_color * fibre * (1.0 - 0.65 * smoothstep(0.29, 0.355, r));
    iris *= smoothstep(0.125, 0.15, r) * 0.97 + 0.03;
    vec3 albedo = mix(iris, white, smoothstep(0.34, 0.375, r));
    vec3 view = normalize(eye_position - position);
    vec3 bulge = normalize(n + vec3(q, 0.0) * 0.35 * (1.0 - smoothstep(0.3, 0.5, r)));
    vec3 mirror = reflect(-view, bulge);
    float glint = pow(max(dot(mirror, normalize(main_direction + vec3(0.0, 0.25, 0.25))), 0.0), 90.0);
    vec3 gleam = glint * 0.9 * min(gleam_color, 1.0) + 0.03 * shade(mirror);
    emit(occluded(albedo, mix(open, 1.0, 0.15)), gleam, n, 1.0);
}"""
)

HAIR_VERTEX = """#version 330
in vec3 in_position, in_normal; in vec2 in_uv; in float in_open;
uniform mat4 mvp; uniform float pull;
out vec3 position, normal; out vec2 uv; out float open;
void main() { position = in_position; normal = in_normal; uv = in_uv; open = in_open;
    gl_Position = mvp * vec4(position, 1.0); gl_Position.z -= pull * gl_Position.w; }"""

HAIR_FRAGMENT = (
    "#version 330\n"
    + _LIGHT
    + """
in vec3 position, normal; in vec2 uv; in float open;
uniform sampler2D strands; uniform vec3 hair_color; uniform float strength, detail, cut_low, cut_high, gloss, edge_fade;
void main() {
    vec4 texel = texture(strands, uv);
    vec3 n = normalize(normal);
    // a strip seen edge-on is less than a pixel wide and would leave dots beside the head
    float facing = abs(dot(n, normalize(eye_position - position)));
    float alpha = texel.a * strength * mix(1.0, smoothstep(0.02, 0.22, facing), edge_fade);
    if (alpha < cut_low || alpha >= cut_high) discard;
    if (cut_high > 1.5) alpha = 1.0;
    if (!gl_FrontFacing) n = -n;
    vec3 soft = normalize(n + 0.8 * normalize(position - vec3(0.0, 0.1, 0.02)));
    float bright = pow(dot(texel.rgb, vec3(0.3, 0.6, 0.1)), 2.2) * detail;
    bright = 1.7 * bright / (0.7 + bright);  // highlights that are painted into the textures are none of ours
    vec3 albedo = hair_color * mix(1.0, bright, 0.7);
    // hair shines in its own colour as well as in that of the light
    vec3 gleam = shine(soft, position, open, gloss * (0.2 + 0.8 * bright), 14.0);
    gleam *= 0.25 + 0.75 * hair_color / max(max(hair_color.r, max(hair_color.g, hair_color.b)), 0.05);
    emit(occluded(albedo, open), gleam, soft, alpha);
}"""
)

BAKE_VERTEX = """#version 330
in vec3 in_position; in vec2 in_uv; uniform mat4 mvp; out vec2 uv;
void main() { uv = in_uv; gl_Position = mvp * vec4(in_position, 1.0); }"""

BAKE_FRAGMENT = """#version 330
in vec2 uv; uniform sampler2D strands; uniform float cut; out vec4 color;
void main() { if (cut > 0.0 && texture(strands, uv).a < cut) discard; color = vec4(1.0); }"""

"""Draw the hall with OpenGL and measure the target in its mask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import moderngl
import numpy as np

from .motion import BELT_SPEED, FPS, NODES, camera, daylight, node_poses
from .scene import make_scene
from .shapes import light_matrix, look_at, perspective, translation
from .textures import LAYERS, TEXTURE_SIZE, make_textures
from .truth import MASK_SCALE, rotated_box

SHUTTER = 0.5  # open for half the frame time, as a film camera
SUBFRAMES = 12

VERTEX_SHADER = """
#version 330
in vec3 in_pos; in vec3 in_nrm; in vec2 in_uv; in vec4 in_mat; in vec3 in_tint; in float in_node;
uniform mat4 view_proj;
uniform mat4 nodes[NODES];
out vec3 pos; out vec3 nrm; out vec2 uv; out vec3 tint; flat out vec4 mat;
void main() {
    mat4 node = nodes[int(in_node + 0.5)];
    pos = (node * vec4(in_pos, 1.0)).xyz;
    nrm = mat3(node) * in_nrm;
    uv = in_uv; mat = in_mat; tint = in_tint;
    gl_Position = view_proj * vec4(pos, 1.0);
}
"""
DEPTH_SHADER = "#version 330\nout vec4 color; void main() { color = vec4(1.0); }"
FRAGMENT_SHADER = """
#version 330
in vec3 pos; in vec3 nrm; in vec2 uv; in vec3 tint; flat in vec4 mat;
uniform sampler2DArray textures;
uniform sampler2DShadow sun_shadow, sky_shadow;
uniform sampler2D mirror;
uniform mat4 sun_matrix, sky_matrix;
uniform vec3 eye, sun_dir, sun_color, sky_dir, sky_color;
uniform vec2 size, mirror_shift;
uniform float belt_shift, mirrored;
out vec4 color;
const float PI = 3.14159265;

float lit(sampler2DShadow map, mat4 to_map, vec3 n) {
    vec3 c = (to_map * vec4(pos + 0.012 * n, 1.0)).xyz * 0.5 + 0.5;
    if (any(lessThan(c, vec3(0.0))) || any(greaterThan(c, vec3(1.0)))) return 1.0;
    return texture(map, vec3(c.xy, c.z - 0.0012));
}

// Panes of the tall windows behind the camera: where the sun passes between the mullions.
float panes() {
    vec3 at = pos + sun_dir * ((pos.y + 9.0) / -sun_dir.y);
    vec2 cell = vec2(at.x / 2.1, (at.z - 0.9) / 2.6);
    vec2 d = abs(fract(cell) - 0.5);
    vec2 open = smoothstep(vec2(0.44, 0.455), vec2(0.40, 0.43), d);
    return open.x * open.y;
}

// What a shiny surface sees: grey floor, bright ceiling with strip lights.
vec3 hall(vec3 r) {
    vec3 base = mix(vec3(0.16, 0.15, 0.14), vec3(0.62, 0.66, 0.72), smoothstep(-0.25, 0.7, r.z));
    vec2 at = r.xy / max(r.z, 0.05) * 3.0;
    float strip = smoothstep(0.30, 0.42, abs(fract(at.x * 0.4) - 0.5)) * step(0.15, r.z);
    return base + 0.9 * strip * exp(-0.02 * dot(at, at));
}

float lobe(vec3 n, vec3 l, vec3 v, float gloss) {
    float power = exp2(2.0 + 8.0 * gloss);
    return pow(max(dot(n, normalize(l + v)), 0.0), power) * (power + 8.0) / (8.0 * PI) * max(dot(n, l), 0.0);
}

void main() {
    if (mirrored > 0.5 && pos.z < 0.004) discard;
    float gloss = mat.y, metal = mat.z, emission = mat.w;
    vec2 at = mat.x == BELT_LAYER ? vec2(uv.x - belt_shift, uv.y) : uv;
    vec3 painted = texture(textures, vec3(at, mat.x), -0.7).rgb * tint;
    vec3 albedo = painted * painted * (0.86 + 0.14 * painted);  // close to the sRGB curve, and fast
    vec3 v = normalize(eye - pos);
    vec3 n = normalize(nrm);
    if (dot(n, v) < 0.0) n = -n;
    float sun_lit = panes() * lit(sun_shadow, sun_matrix, n);
    float sky_lit = lit(sky_shadow, sky_matrix, n);
    vec3 sun = sun_color * sun_lit;
    vec3 sky = sky_color * sky_lit;
    vec3 bounce = vec3(0.105, 0.098, 0.09) * (1.0 - 0.45 * n.z) * smoothstep(-0.2, 0.9, pos.z + 0.35);
    vec3 diffuse = sun * max(dot(n, sun_dir), 0.0) + sky * max(dot(n, sky_dir), 0.0) + bounce;
    float grazing = 1.0 - max(dot(n, v), 0.0), grazing4 = grazing * grazing * grazing * grazing;
    float fresnel = 0.04 + 0.96 * grazing4 * grazing;
    vec3 spec = sun * lobe(n, sun_dir, v, gloss) + sky * lobe(n, sky_dir, v, gloss);
    vec3 shiny = gloss * gloss * hall(reflect(-v, n));
    if (mat.x == FLOOR_LAYER && mirrored < 0.5) {
        shiny = texture(mirror, gl_FragCoord.xy / size + mirror_shift).rgb * 1.4;
        fresnel = 0.05 + 0.75 * grazing4;
    }
    vec3 plastic = albedo * diffuse + fresnel * (shiny + PI * spec * (0.2 + gloss));
    vec3 metallic = albedo * (shiny * (0.35 + 0.65 * sky_lit) + 0.5 * diffuse + spec);
    color = vec4(min(mix(plastic, metallic, metal) + emission * albedo, vec3(6.0)), 1.0);
}
"""


def _spread(count: int, seed: int) -> dict[str, np.ndarray]:
    """Sample points for the sub-frames: low-discrepancy sets, each in its own order."""
    rng = np.random.default_rng([seed, 4])
    k = np.arange(count)
    even = (k + 0.5) / count

    def plane() -> np.ndarray:
        return np.stack([even, (k * 0.6180339887 + rng.uniform()) % 1.0], axis=1)[rng.permutation(count)]

    def disc() -> np.ndarray:
        radius, angle = plane().T
        return np.sqrt(radius)[:, None] * np.stack([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)], axis=1)

    up, turn = plane().T
    height = 0.16 + 0.82 * up  # of the unit vector towards the sky; the hall's walls hide the horizon
    flat = np.sqrt(1 - height**2)
    sky = np.stack([flat * np.cos(2 * np.pi * turn), flat * np.sin(2 * np.pi * turn), height], axis=1)
    return {"time": even - 0.5, "pixel": plane() - 0.5, "lens": disc(), "sun": disc(), "sky": sky, "gloss": disc()}


def _glsl(matrix: np.ndarray) -> tuple[float, ...]:
    """A matrix as OpenGL wants it: column after column."""
    return tuple(matrix.T.ravel().tolist())


def _context() -> moderngl.Context:
    """An OpenGL context without a window; on Linux through EGL, which needs no display.

    Raises:
        OSError: this machine has no usable OpenGL.
    """
    options: dict[str, Any] = {"backend": "egl"} if sys.platform.startswith("linux") else {}
    try:
        return moderngl.create_context(require=330, standalone=True, **options)
    except Exception as error:  # moderngl has no error type of its own for this
        hint = "on Linux install libegl1 and a driver (Mesa's software driver will do)"
        raise OSError(f"no OpenGL 3.3 context: {error}; {hint}") from error


class Renderer:
    """The OpenGL side: one vertex array, two shadow maps, the floor's mirror picture and the picture."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.gl = _context()
        self.size, self.spread = size, _spread(SUBFRAMES, seed)
        scene = make_scene(seed)
        header = f"#version 330\n#define NODES {NODES}\n#define BELT_LAYER {LAYERS.index('belt')}.0\n"
        header += f"#define FLOOR_LAYER {LAYERS.index('terrazzo')}.0\n"
        vertex, fragment = (text.replace("#version 330\n", header) for text in (VERTEX_SHADER, FRAGMENT_SHADER))
        self.shade = self.gl.program(vertex, fragment)
        self.flat = self.gl.program(vertex, DEPTH_SHADER)
        vertices = self.gl.buffer(np.concatenate(scene.vertices).tobytes())
        faces = self.gl.buffer(np.concatenate(scene.indices).tobytes())
        names = ("in_pos", "in_nrm", "in_uv", "in_mat", "in_tint", "in_node")
        self.full = self.gl.vertex_array(self.shade, [(vertices, "3f 3f 2f 4f 3f 1f", *names)], faces)
        self.bare = self.gl.vertex_array(self.flat, [(vertices, "3f 48x 1f", "in_pos", "in_node")], faces)
        self.bag_indices = scene.bag_indices
        self._make_targets(make_textures(seed))

    def _make_targets(self, textures: np.ndarray) -> None:
        """Textures and frame buffers."""
        gl, (width, height) = self.gl, self.size
        array = gl.texture_array((TEXTURE_SIZE, TEXTURE_SIZE, len(textures)), 3, textures.tobytes())
        array.build_mipmaps()
        array.use(0)
        self.shadows = []
        for unit in (1, 2):
            depth = gl.depth_texture((1280, 1280))
            depth.compare_func = "<="
            depth.repeat_x = depth.repeat_y = False
            depth.use(unit)
            self.shadows.append(gl.framebuffer(depth_attachment=depth))
        small = (width // 3, height // 3)
        mirror = gl.texture(small, 4, dtype="f2")
        mirror.repeat_x = mirror.repeat_y = False
        mirror.use(3)
        self.mirror = gl.framebuffer([mirror], gl.depth_renderbuffer(small))
        self.picture = gl.framebuffer([gl.renderbuffer(self.size, 4, dtype="f4")], gl.depth_renderbuffer(self.size))
        big = (width * MASK_SCALE, height * MASK_SCALE)
        self.mask = gl.framebuffer([gl.renderbuffer(big, 1)], gl.depth_renderbuffer(big))
        for name, unit in (("textures", 0), ("sun_shadow", 1), ("sky_shadow", 2), ("mirror", 3)):
            self.shade[name] = unit
        self.shade["size"] = self.size
        self.gl.enable(self.gl.DEPTH_TEST)

    def _view(self, time: float, k: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eye, view and projection; sub-frame ``k`` shifts the lens and the pixel, None is the middle."""
        eye, target, roll = camera(time)
        view, projection = look_at(eye, target, roll), perspective(0.222, self.size[0] / self.size[1])
        if k is None:
            return eye, view, projection
        distance = float(np.linalg.norm(target - eye))
        lens = 0.008 * self.spread["lens"][k]
        view = translation(-lens[0], -lens[1], 0) @ view
        projection[:2, 2] += 2 * self.spread["pixel"][k] / np.array(self.size)
        projection[0, 2] -= lens[0] * projection[0, 0] / distance
        projection[1, 2] -= lens[1] * projection[1, 1] / distance
        return eye, view, projection

    def _subframe(self, time: float, k: int) -> np.ndarray:
        """One rendering, linear light, (H, W, 3) float32 RGB."""
        eye, view, projection = self._view(time, k)
        nodes = [_glsl(pose) for pose in node_poses(time)]
        self.flat["nodes"] = nodes
        self.shade["nodes"] = nodes
        sun_level, sky_level = daylight(time)
        sun = np.array([0.50, -0.62, 0.62]) + 0.022 * np.array([*self.spread["sun"][k], 0.0])
        sun /= np.linalg.norm(sun)
        sky = self.spread["sky"][k]
        window = 0.45 + 0.55 * max(float(sky @ np.array([0.35, -0.75, 0.55])), 0.0)
        color = np.array([0.80, 0.90, 1.05]) * window + np.array([0.30, 0.26, 0.20]) * sky[2]
        for name, direction, target in (("sun", sun, self.shadows[0]), ("sky", sky, self.shadows[1])):
            matrix = light_matrix(direction)
            target.use()
            target.clear()
            self.flat["view_proj"] = _glsl(matrix)
            self.bare.render()
            self.shade[f"{name}_matrix"] = _glsl(matrix)
            self.shade[f"{name}_dir"] = tuple(direction)
        self.shade["sun_color"] = tuple(sun_level * np.array([2.6, 2.15, 1.55]))
        self.shade["sky_color"] = tuple(sky_level * 1.25 * color)
        self.shade["eye"] = tuple(eye)
        self.shade["belt_shift"] = BELT_SPEED * time / 0.5
        self.shade["mirror_shift"] = tuple(self.spread["gloss"][k] * (0.004, 0.012))
        for target, flip in ((self.mirror, True), (self.picture, False)):
            self.shade["mirrored"] = float(flip)
            target.use()
            target.clear(0.3, 0.32, 0.35, 1.0)
            matrix = projection @ view @ np.diag([1, 1, -1 if flip else 1, 1])
            self.shade["view_proj"] = _glsl(matrix)
            self.full.render()
        pixels = np.frombuffer(self.picture.read(components=3, dtype="f4"), np.float32)
        return pixels.reshape(self.size[1], self.size[0], 3)[::-1]

    def frame(self, index: int) -> np.ndarray:
        """The picture of one frame, (H, W, 3) uint8 BGR."""
        times = (index + SHUTTER * self.spread["time"]) / FPS
        light = np.mean([self._subframe(float(t), k) for k, t in enumerate(times)], axis=0)
        return _develop(light)

    def bag_mask(self, index: int) -> np.ndarray:
        """The target's whole silhouette in the middle of the exposure, as if nothing stood before it.

        Returns:
            (H * MASK_SCALE, W * MASK_SCALE) bool.
        """
        _, view, projection = self._view(index / FPS, None)
        self.flat["nodes"] = [_glsl(pose) for pose in node_poses(index / FPS)]
        self.flat["view_proj"] = _glsl(projection @ view)
        self.mask.use()
        self.mask.clear()
        self.bare.render(vertices=self.bag_indices)
        width, height = self.mask.size
        pixels = np.frombuffer(self.mask.read(components=1), np.uint8)
        return pixels.reshape(height, width)[::-1] > 0


def _develop(light: np.ndarray) -> np.ndarray:
    """Linear light to a picture: lens falloff, a film curve (Hable, 2010), sRGB; (H, W, 3) uint8 BGR."""
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width]
    radius = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2
    light = light * (1 - 0.28 * radius**1.2)[..., None] * 1.55

    def curve(value: np.ndarray | float) -> np.ndarray | float:
        return (value * (0.22 * value + 0.03) + 0.002) / (value * (0.22 * value + 0.3) + 0.06) - 0.01 / 0.3

    picture = np.clip(curve(light) / curve(6.0), 0, 1) ** (1 / 2.2)
    return np.round(255 * picture[..., ::-1]).astype(np.uint8)


def render(frames: int, size: tuple[int, int], seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the clip frame by frame: picture (H, W, 3) uint8 BGR and target box (4, 2) in pixels."""
    renderer, box = Renderer(size, seed), None
    for index in range(frames):
        box = rotated_box(renderer.bag_mask(index), box)
        yield renderer.frame(index), box

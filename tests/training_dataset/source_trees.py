"""Miniature copies of the layouts that the training sets are downloaded in.

Every frame is grey with one white target, so that crops can be checked by looking for white.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

SIZE_WH = (160, 120)
BOX_XYXY = (50, 40, 90, 70)
BOX_XYWH = (50, 40, 40, 30)
FRAMES = 4


def box_at(number: int) -> tuple[int, int, int, int]:
    """The target of frame ``number``: it moves two pixels to the right each frame."""
    x1, y1, x2, y2 = BOX_XYXY
    return x1 + 2 * number, y1, x2 + 2 * number, y2


def picture(path: Path, number: int = 0) -> None:
    image = np.full((SIZE_WH[1], SIZE_WH[0], 3), 90, np.uint8)
    x1, y1, x2, y2 = box_at(number)
    image[y1:y2, x1:x2] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    # By way of imencode: not every OpenCV knows the suffix .JPEG.
    path.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes())


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def lines_xywh(origin: int = 0) -> str:
    rows = []
    for number in range(FRAMES):
        x1, y1, x2, y2 = box_at(number)
        rows.append(f"{x1 + origin},{y1 + origin},{x2 - x1},{y2 - y1}")
    return "\n".join(rows) + "\n"


def got10k(root: Path) -> Path:
    video = root / "train" / "GOT-10k_Train_000001"
    text(video / "groundtruth.txt", lines_xywh())
    text(video / "absence.label", "0\n0\n1\n0\n")
    text(video / "cover.label", "8\n8\n0\n5\n")
    text(video / "meta_info.ini", "[METAINFO]\nurl: none\nobject_class: lynx\nmotion_class: walking\n")
    for number in range(FRAMES):
        picture(video / f"{number + 1:08d}.jpg", number)
    return root


def lasot(root: Path) -> Path:
    video = root / "zebra" / "zebra-2"
    text(video / "groundtruth.txt", lines_xywh(origin=1))
    text(video / "full_occlusion.txt", "0,0,1,0")
    text(video / "out_of_view.txt", "0,0,0,0")
    for number in range(FRAMES):
        picture(video / "img" / f"{number + 1:08d}.jpg", number)
    return root


def trackingnet(root: Path) -> Path:
    text(root / "TRAIN_0" / "anno" / "abc_0.txt", lines_xywh())
    for number in range(FRAMES):
        picture(root / "TRAIN_0" / "frames" / "abc_0" / f"{number}.jpg", number)
    return root


def coco(root: Path) -> Path:
    x1, y1, x2, y2 = BOX_XYXY
    content = {
        "images": [{"id": 7, "file_name": "000000000007.jpg"}, {"id": 8, "file_name": "000000000008.jpg"}],
        "categories": [{"id": 3, "name": "cup"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 3,
                "iscrowd": 0,
                "bbox": list(BOX_XYWH),
                "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
            },
            {"id": 2, "image_id": 7, "category_id": 3, "iscrowd": 1, "bbox": [0, 0, 160, 120], "segmentation": {}},
        ],
    }
    text(root / "annotations" / "instances_train2017.json", json.dumps(content))
    for number in (7, 8):
        picture(root / "train2017" / f"{number:012d}.jpg")
    return root


def xml(path: Path, boxes: list[tuple[str, str | None, tuple[int, ...]]]) -> None:
    objects = ""
    for name, track, (x1, y1, x2, y2) in boxes:
        number = f"<trackid>{track}</trackid>" if track is not None else ""
        objects += (
            f"<object>{number}<name>{name}</name><bndbox><xmax>{x2}</xmax><xmin>{x1}</xmin>"
            f"<ymax>{y2}</ymax><ymin>{y1}</ymin></bndbox></object>"
        )
    text(path, f"<annotation><folder>x</folder>{objects}</annotation>")


def vid(root: Path) -> Path:
    name = Path("ILSVRC2015_VID_train_0000") / "ILSVRC2015_train_00000001"
    for number in range(FRAMES):
        # Frame 1 has no target: the track is in two stretches.
        boxes = [] if number == 1 else [("n02084071", "0", box_at(number))]
        xml(root / "Annotations" / "VID" / "train" / name / f"{number:06d}.xml", boxes)
        picture(root / "Data" / "VID" / "train" / name / f"{number:06d}.JPEG", number)
    return root


def det(root: Path) -> Path:
    xml(root / "Annotations" / "DET" / "train" / "a" / "n01.xml", [("n01", None, BOX_XYXY)])
    picture(root / "Data" / "DET" / "train" / "a" / "n01.JPEG")
    return root


PALETTE = bytes((0, 0, 0, 236, 95, 103, 249, 145, 87))


def painted(path: Path, number: int, values: tuple[int, ...] = (2,)) -> None:
    """A PNG with a palette, as OpenCV cannot write it."""
    labels = np.zeros((SIZE_WH[1], SIZE_WH[0]), np.uint8)
    x1, y1, x2, y2 = box_at(number)
    for value in values:
        labels[y1:y2, x1:x2] = value

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.tobytes() for row in labels)
    header = struct.pack(">IIBBBBB", *SIZE_WH, 8, 3, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"PLTE", PALETTE)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def youtube_vos(root: Path) -> Path:
    for number in range(0, 5 * FRAMES, 5):
        picture(root / "JPEGImages" / "0043f083b5" / f"{number:05d}.jpg", number // 5)
        painted(root / "Annotations" / "0043f083b5" / f"{number:05d}.png", number // 5)
    text(root / "meta.json", json.dumps({"videos": {"0043f083b5": {"objects": {"2": {"category": "sedan"}}}}}))
    return root


def davis(root: Path) -> Path:
    for number in range(FRAMES):
        picture(root / "JPEGImages" / "480p" / "bear" / f"{number:05d}.jpg", number)
        painted(root / "Annotations" / "480p" / "bear" / f"{number:05d}.png", number)
    text(root / "ImageSets" / "2017" / "train.txt", "bear\n")
    return root


def youtube_bb(root: Path) -> Path:
    rows = []
    for number in range(FRAMES):
        x1, y1, x2, y2 = box_at(number)
        shares = f"{x1 / SIZE_WH[0]},{x2 / SIZE_WH[0]},{y1 / SIZE_WH[1]},{y2 / SIZE_WH[1]}"
        presence, shares = ("absent", "-1,-1,-1,-1") if number == 2 else ("present", shares)
        rows.append(f"AAB6lO-XiKE,{1000 * number + 500},0,person,1,{presence},{shares}")
        picture(root / "frames" / "AAB6lO-XiKE" / f"{1000 * number + 500}.jpg", number)
    text(root / "yt_bb_detection_train.csv", "\n".join(rows) + "\n")
    return root


def csv(root: Path) -> Path:
    text(
        root / "boxes.csv",
        "video,frame,x,y,w,h\n" + "".join(f"cat,{number},{line}\n" for number, line in enumerate(lines_xywh().split())),
    )
    for number in range(FRAMES):
        picture(root / "cat" / f"{number:04d}.jpg", number)
    return root


def mot(root: Path) -> Path:
    rows = [f"{number + 1},5,{line},1,1,1" for number, line in enumerate(lines_xywh().split())]
    text(root / "walk" / "gt" / "gt.txt", "\n".join(rows) + "\n")
    for number in range(FRAMES):
        picture(root / "walk" / "img1" / f"{number + 1:06d}.jpg", number)
    return root


def voc(root: Path) -> Path:
    x1, y1, x2, y2 = BOX_XYXY
    xml(root / "Annotations" / "one.xml", [("cup", None, (x1 + 1, y1 + 1, x2, y2))])
    picture(root / "JPEGImages" / "one.jpg")
    return root


def yolo(root: Path) -> Path:
    x, y, w, h = BOX_XYWH
    shares = (x + w / 2) / SIZE_WH[0], (y + h / 2) / SIZE_WH[1], w / SIZE_WH[0], h / SIZE_WH[1]
    text(root / "labels" / "one.txt", "0 " + " ".join(f"{share:.8f}" for share in shares) + "\n")
    text(root / "labels" / "classes.txt", "cup\n")
    picture(root / "images" / "one.jpg")
    return root

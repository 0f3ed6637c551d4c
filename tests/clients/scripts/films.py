"""Films made by code with PyAV: FOLDER gets vod/ (one file, byte ranges, as PeerTube stores it) and live/ (.ts)."""

import sys
from pathlib import Path

import av
import numpy

RATE, SECONDS = 10, 12


def write(playlist, options):
    playlist.parent.mkdir()
    with av.open(str(playlist), "w", format="hls", options=options) as film:
        stream = film.add_stream("libx264", rate=RATE, options={"g": str(RATE), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(RATE * SECONDS):
            picture = numpy.full((120, 160, 3), number * 2, dtype="uint8")
            picture[:, number : number + 20] = 255 - number
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode())


folder = Path(sys.argv[1])
common = {"hls_time": "1", "hls_list_size": "0", "hls_playlist_type": "vod"}
write(folder / "vod" / "film.m3u8", common | {"hls_segment_type": "fmp4", "hls_flags": "single_file"})
write(folder / "live" / "film.m3u8", common)

// Pictures: bytes of red, green and blue on a canvas.

/** Draws bytes, three for each pixel, at their own size; CSS makes them larger. */
export function draw(canvas, bytes, [height, width]) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.parentElement.classList.toggle("fine", Math.max(width, height) > 128);
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const data = image.data;
  for (let i = 0, j = 0; j < data.length; i += 3, j += 4) {
    data[j] = bytes[i];
    data[j + 1] = bytes[i + 1];
    data[j + 2] = bytes[i + 2];
    data[j + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** A canvas, enlarged without blur to 512 pixels or more, as a PNG. */
export function enlarged(canvas) {
  const factor = Math.max(1, Math.ceil(512 / Math.max(canvas.width, canvas.height)));
  const large = document.createElement("canvas");
  large.width = canvas.width * factor;
  large.height = canvas.height * factor;
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  return new Promise((done) => large.toBlob(done, "image/png"));
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

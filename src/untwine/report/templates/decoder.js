"use strict";
// Decoders in a page: layers as `untwine.report.inline_decoder` describes them, on flat arrays.
const untwineDecoder = (() => {
  /** Numbers of two or four bytes from base64. */
  function numbers(text, half) {
    const binary = atob(text.trim());
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    const view = new DataView(bytes.buffer);
    const values = new Float32Array(bytes.length / (half ? 2 : 4));
    for (let i = 0; i < values.length; i++) values[i] = half ? full(view.getUint16(2 * i, true)) : view.getFloat32(4 * i, true);
    return values;
  }

  /** A number of half precision. */
  function full(bits) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24 : exponent === 31 ? (fraction ? NaN : Infinity) : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return bits >> 15 ? -size : size;
  }

  function linear({ inputs, outputs }, take) {
    const matrix = take(inputs * outputs);
    const term = take(outputs);
    const out = new Float32Array(outputs);
    return (h) => {
      for (let o = 0, w = 0; o < outputs; o++) {
        let sum = term[o];
        for (let i = 0; i < inputs; i++, w++) sum += matrix[w] * h[i];
        out[o] = sum;
      }
      return out;
    };
  }

  /**
   * First what every place of the input adds, for each channel and place of the kernel; then where.
   * The longer of the two rows is the inner loop; what a ReLU has put to 0 is passed over.
   */
  function transposed({ inputs, outputs, kernel, stride, pad, from, to }, take) {
    const kernels = take(inputs * outputs * kernel * kernel);
    const term = take(outputs);
    const [height, width] = from;
    const [rows, columns] = to;
    const places = height * width;
    const count = outputs * kernel * kernel;
    const out = new Float32Array(outputs * rows * columns);
    const adds = new Float32Array(Math.max(places, count) + 1);
    const active = new Int32Array(inputs + 4);

    const byPlace = (h) => {
      for (let n = 0; n < places; n++) {
        let many = 0;
        for (let i = 0; i < inputs; i++) if (h[i * places + n] !== 0) active[many++] = i;
        adds.fill(0, 0, count);
        let k = 0;
        for (; k + 3 < many; k += 4) {
          const a = active[k], b = active[k + 1], c = active[k + 2], d = active[k + 3];
          const ha = h[a * places + n], hb = h[b * places + n], hc = h[c * places + n], hd = h[d * places + n];
          for (let m = 0, p = a * count, q = b * count, r = c * count, s = d * count; m < count; m++, p++, q++, r++, s++) {
            adds[m] += ha * kernels[p] + hb * kernels[q] + hc * kernels[r] + hd * kernels[s];
          }
        }
        for (; k < many; k++) {
          const a = active[k];
          const ha = h[a * places + n];
          for (let m = 0, p = a * count; m < count; m++, p++) adds[m] += ha * kernels[p];
        }
        const top = Math.floor(n / width) * stride - pad;
        const left = (n % width) * stride - pad;
        for (let o = 0, m = 0; o < outputs; o++) {
          for (let row = top; row < top + kernel; row++) {
            const start = (o * rows + row) * columns;
            for (let column = left; column < left + kernel; column++, m++) {
              if (row >= 0 && row < rows && column >= 0 && column < columns) out[start + column] += adds[m];
            }
          }
        }
      }
    };

    const byKernel = (h) => {
      for (let m = 0; m < count; m++) {
        adds.fill(0, 0, places);
        let i = 0;
        for (; i + 3 < inputs; i += 4) {
          const a = kernels[i * count + m], b = kernels[(i + 1) * count + m];
          const c = kernels[(i + 2) * count + m], d = kernels[(i + 3) * count + m];
          const at = i * places;
          for (let n = 0, p = at, q = at + places, r = q + places, s = r + places; n < places; n++, p++, q++, r++, s++) {
            adds[n] += a * h[p] + b * h[q] + c * h[r] + d * h[s];
          }
        }
        for (; i < inputs; i++) {
          const a = kernels[i * count + m];
          for (let n = 0, p = i * places; n < places; n++, p++) adds[n] += a * h[p];
        }
        const o = Math.floor(m / (kernel * kernel));
        const ky = Math.floor(m / kernel) % kernel;
        const kx = m % kernel;
        for (let y = 0; y < height; y++) {
          const row = y * stride - pad + ky;
          if (row < 0 || row >= rows) continue;
          const start = (o * rows + row) * columns;
          for (let x = 0; x < width; x++) {
            const column = x * stride - pad + kx;
            if (column >= 0 && column < columns) out[start + column] += adds[y * width + x];
          }
        }
      }
    };

    const add = count >= places ? byPlace : byKernel;
    return (h) => {
      for (let o = 0; o < outputs; o++) out.fill(term[o], o * rows * columns, (o + 1) * rows * columns);
      add(h);
      return out;
    };
  }

  function affine({ channels, size }, take) {
    const factor = take(channels);
    const term = take(channels);
    return (h) => {
      for (let c = 0, i = 0; c < channels; c++) {
        for (let n = 0; n < size; n++, i++) h[i] = h[i] * factor[c] + term[c];
      }
      return h;
    };
  }

  /** The mean of a continuous Bernoulli; near 0 its series, where the quotient loses its digits. */
  function continuous(logit) {
    const h = Math.max(-15.942, Math.min(15.942, logit)); // where torch's end, in single precision
    if (Math.abs(h) < 0.05) return 0.5 + h / 12 - (h * h * h) / 720;
    return 1 / (1 - Math.exp(-h)) - 1 / h;
  }

  const functions = {
    relu: () => (h) => (h > 0 ? h : 0),
    leaky: (slope) => (h) => (h > 0 ? h : slope * h),
    tanh: () => Math.tanh,
    sigmoid: () => (h) => 1 / (1 + Math.exp(-h)),
    silu: () => (h) => h / (1 + Math.exp(-h)),
    elu: () => (h) => (h > 0 ? h : Math.expm1(h)),
    continuous: () => continuous,
  };

  function pointwise(layer) {
    const f = functions[layer.kind](layer.slope);
    return (h) => {
      for (let i = 0; i < h.length; i++) h[i] = f(h[i]);
      return h;
    };
  }

  /**
   * A function from a code to a picture: channel by channel, row by row, in one array that the next
   * call writes again.
   */
  function make({ layers, half }, text) {
    const values = numbers(text, half);
    let start = 0;
    const take = (count) => values.subarray(start, (start += count));
    const steps = layers.map((layer) => {
      const kind = { linear, transposed, affine }[layer.kind];
      return kind ? kind(layer, take) : pointwise(layer);
    });
    return (code) => steps.reduce((h, step) => step(h), Float32Array.from(code));
  }

  /** Draws what was decoded on a canvas of the picture's own size. */
  function draw(canvas, picture, [channels, height, width]) {
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const size = height * width;
    for (let i = 0, j = 0; i < size; i++, j += 4) {
      for (let c = 0; c < 3; c++) image.data[j + c] = Math.round(255 * picture[(channels === 1 ? 0 : c * size) + i]);
      image.data[j + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  return { make, draw };
})();

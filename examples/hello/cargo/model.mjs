/** A language model of the smallest kind: the shape of the real ones, weights that mean nothing. */

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 1024,
  hidden_size: 128,
  intermediate_size: 384,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  max_position_embeddings: 256,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
  torch_dtype: 'float32',
};

const README = `---
license: apache-2.0
library_name: transformers
tags: [random]
---
# tiny-random-llama

Half a million random weights in the shape of a Llama. Good for trying whether a model arrives, and for nothing else.
`;

/** @returns {readonly {name: string, content: Buffer}[]} the files of a model directory, as on Hugging Face */
export function tinyModel() {
  return [
    { name: 'README.md', content: Buffer.from(README) },
    { name: 'config.json', content: Buffer.from(`${JSON.stringify(CONFIG, null, 2)}\n`) },
    { name: 'model.safetensors', content: safetensors(tensors(CONFIG)) },
  ];
}

function tensors({ vocab_size: words, hidden_size: width, intermediate_size: inner, num_hidden_layers: layers }) {
  const layer = (at) =>
    Object.entries({
      'input_layernorm.weight': [width],
      'mlp.down_proj.weight': [width, inner],
      'mlp.gate_proj.weight': [inner, width],
      'mlp.up_proj.weight': [inner, width],
      'post_attention_layernorm.weight': [width],
      'self_attn.k_proj.weight': [width, width],
      'self_attn.o_proj.weight': [width, width],
      'self_attn.q_proj.weight': [width, width],
      'self_attn.v_proj.weight': [width, width],
    }).map(([name, shape]) => [`model.layers.${at}.${name}`, shape]);
  return [
    ['model.embed_tokens.weight', [words, width]],
    ...Array.from({ length: layers }, (_, at) => layer(at)).flat(),
    ['model.norm.weight', [width]],
  ];
}

/** The format of https://huggingface.co/docs/safetensors: length, JSON, then the tensors, one behind the other. */
function safetensors(shapes) {
  const random = generator(20260101);
  const header = { __metadata__: { format: 'pt' } };
  const data = [];
  let end = 0;
  for (const [name, shape] of shapes) {
    const weights = Buffer.alloc(4 * shape.reduce((product, side) => product * side, 1));
    for (let at = 0; at < weights.length; at += 4) weights.writeFloatLE(shape.length === 1 ? 1 : random(), at);
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + weights.length] };
    end += weights.length;
    data.push(weights);
  }
  const json = JSON.stringify(header);
  const padded = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...data]);
}

/** Marsaglia's xorshift32: the same numbers on every machine, between -0.03125 and 0.03125. */
function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 36;
  };
}

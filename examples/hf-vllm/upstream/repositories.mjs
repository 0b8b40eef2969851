/** Repositories in the shape of the real ones, with a few kilobytes where those have gigabytes. */

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  vocab_size: 256,
  torch_dtype: 'bfloat16',
};

const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];

/**
 * @returns {readonly {path: string, revision: string, license: string, files: Record<string, Buffer>}[]} what is on the Hub;
 * what ends with .safetensors, .pth or .gz is kept in LFS there
 */
export function repositories() {
  const shards = SHARDS.map((_, at) => safetensors(`model.layers.${at}.self_attn.q_proj.weight`));
  const index = {
    metadata: { total_size: shards.reduce((total, { length }) => total + length, 0) },
    weight_map: Object.fromEntries(SHARDS.map((name, at) => [`model.layers.${at}.self_attn.q_proj.weight`, name])),
  };
  const model = {
    'README.md': text('---\nlicense: other\n---\n# Nemotron Nano, as small as can be\n'),
    LICENSE: text('The licence of the real one stands here.\n'),
    'config.json': json(CONFIG),
    'generation_config.json': json({ do_sample: true, temperature: 0.6 }),
    'model.safetensors.index.json': json(index),
    ...Object.fromEntries(SHARDS.map((name, at) => [name, shards[at]])),
    'original/consolidated.00.pth': text('pickled weights, which nobody needs beside the others\n'),
    'special_tokens_map.json': json({ bos_token: '<|begin_of_text|>' }),
    'tokenizer.json': json({ version: '1.0', model: { type: 'BPE' } }),
    'tokenizer_config.json': json({ model_max_length: 131072 }),
  };
  const dataset = {
    'README.md': text('---\nlicense: cc-by-4.0\n---\n# HelpSteer3\n'),
    'preference/train.jsonl.gz': text('much more of the same\n'),
    'preference/validation.jsonl.gz': text('{"domain": "stem", "overall_preference": 1}\n'),
  };
  return [
    { path: 'nvidia/Llama-3.1-Nemotron-Nano-8B-v1', revision: 'main', license: 'llama3.1', files: model },
    { path: 'datasets/nvidia/HelpSteer3', revision: 'v1.0', license: 'cc-by-4.0', files: dataset },
  ];
}

/** One tensor of zeros, in the format of https://huggingface.co/docs/safetensors. */
function safetensors(name) {
  const data = Buffer.alloc(64 * 64 * 2);
  const header = text(JSON.stringify({ [name]: { dtype: 'BF16', shape: [64, 64], data_offsets: [0, data.length] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, data]);
}

function json(value) {
  return text(`${JSON.stringify(value, null, 2)}\n`);
}

function text(content) {
  return Buffer.from(content);
}

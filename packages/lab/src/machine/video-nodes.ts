import { V4L2_FIELD, type VividDevice, v4l2Fourcc } from '@dmabuf-lab/uapi';

/** As recorded cases find a node: small pictures, which come often. */
export function setUpVideoNode(node: VividDevice['capture'] | VividDevice['output']): void {
  const { colorspace } = node.getFormat();
  const picture = { width: 320, height: 180, pixelformat: v4l2Fourcc('YUYV'), field: V4L2_FIELD.NONE, colorspace };
  node.setFormat({ ...picture, planes: [], planeCount: 0 });
  if ('setInterval' in node) node.setInterval({ numerator: 1, denominator: 60 });
}

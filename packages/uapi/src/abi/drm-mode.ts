/** DRM: mode setting. Source: include/uapi/drm/drm_mode.h and drm.h, v6.12. */
import { DRM_IOCTL_BASE } from './drm.js';
import { iow, iowr } from './ioctl.js';
import { array, chars, s32, s64, struct, u16, u32, u64 } from './struct.js';

/** Capabilities of DRM_IOCTL_SET_CLIENT_CAP. */
export const DRM_CLIENT_CAP = {
  STEREO_3D: 1,
  UNIVERSAL_PLANES: 2,
  ATOMIC: 3,
  ASPECT_RATIO: 4,
  WRITEBACK_CONNECTORS: 5,
  CURSOR_PLANE_HOTSPOT: 6,
} as const;

/** Flags of DRM_IOCTL_MODE_ADDFB2. */
export const DRM_MODE_FB = { INTERLACED: 1, MODIFIERS: 2 } as const;
/** Flags of DRM_IOCTL_MODE_PAGE_FLIP. */
export const DRM_MODE_PAGE_FLIP = { EVENT: 1, ASYNC: 2, TARGET_ABSOLUTE: 4, TARGET_RELATIVE: 8 } as const;
/** Flags of DRM_IOCTL_MODE_ATOMIC beside those of a page flip. */
export const DRM_MODE_ATOMIC = { TEST_ONLY: 0x100, NONBLOCK: 0x200, ALLOW_MODESET: 0x400 } as const;
/** Kinds of objects with an id. */
export const DRM_MODE_OBJECT = {
  ANY: 0,
  CRTC: 0xcccccccc,
  CONNECTOR: 0xc0c0c0c0,
  ENCODER: 0xe0e0e0e0,
  PROPERTY: 0xb0b0b0b0,
  FB: 0xfbfbfbfb,
  BLOB: 0xbbbbbbbb,
  PLANE: 0xeeeeeeee,
} as const;
/** Kinds of properties. */
export const DRM_MODE_PROP = {
  RANGE: 0x2,
  IMMUTABLE: 0x4,
  ENUM: 0x8,
  BLOB: 0x10,
  OBJECT: 0x40,
  SIGNED_RANGE: 0x80,
  ATOMIC: 0x80000000,
} as const;
/** Bits of a mode's flags that hold the aspect ratio of the picture. */
export const DRM_MODE_FLAG_PIC_AR_MASK = 0xf << 19;
/** Kinds of events that are read from a DRM file. */
export const DRM_EVENT = { VBLANK: 1, FLIP_COMPLETE: 2 } as const;

export const DRM_FORMAT_MOD_LINEAR = 0n;
export const DRM_FORMAT_MAX_PLANES = 4;
/** Most clips of DRM_IOCTL_MODE_DIRTYFB. */
export const DRM_MODE_FB_DIRTY_MAX_CLIPS = 256;
export const DRM_MODE_FB_DIRTY_ANNOTATE_COPY = 1;
/** Its name has room for so many characters, the NUL included. */
export const DRM_PROP_NAME_LEN = 32;

export const drmSetClientCap = struct('drm_set_client_cap', { capability: u64, value: u64 });
export const drmModeModeinfo = struct('drm_mode_modeinfo', {
  clock: u32,
  hdisplay: u16,
  hsync_start: u16,
  hsync_end: u16,
  htotal: u16,
  hskew: u16,
  vdisplay: u16,
  vsync_start: u16,
  vsync_end: u16,
  vtotal: u16,
  vscan: u16,
  vrefresh: u32,
  flags: u32,
  type: u32,
  name: chars(32),
});
export const drmModeCardRes = struct('drm_mode_card_res', {
  fb_id_ptr: u64,
  crtc_id_ptr: u64,
  connector_id_ptr: u64,
  encoder_id_ptr: u64,
  count_fbs: u32,
  count_crtcs: u32,
  count_connectors: u32,
  count_encoders: u32,
  min_width: u32,
  max_width: u32,
  min_height: u32,
  max_height: u32,
});
export const drmModeCrtc = struct('drm_mode_crtc', {
  set_connectors_ptr: u64,
  count_connectors: u32,
  crtc_id: u32,
  fb_id: u32,
  x: u32,
  y: u32,
  gamma_size: u32,
  mode_valid: u32,
  mode: drmModeModeinfo,
});
export const drmModeGetEncoder = struct('drm_mode_get_encoder', {
  encoder_id: u32,
  encoder_type: u32,
  crtc_id: u32,
  possible_crtcs: u32,
  possible_clones: u32,
});
export const drmModeGetConnector = struct('drm_mode_get_connector', {
  encoders_ptr: u64,
  modes_ptr: u64,
  props_ptr: u64,
  prop_values_ptr: u64,
  count_modes: u32,
  count_props: u32,
  count_encoders: u32,
  encoder_id: u32,
  connector_id: u32,
  connector_type: u32,
  connector_type_id: u32,
  connection: u32,
  mm_width: u32,
  mm_height: u32,
  subpixel: u32,
  pad: u32,
});
export const drmModeGetProperty = struct('drm_mode_get_property', {
  values_ptr: u64,
  enum_blob_ptr: u64,
  prop_id: u32,
  flags: u32,
  name: chars(DRM_PROP_NAME_LEN),
  count_values: u32,
  count_enum_blobs: u32,
});
export const drmModePropertyEnum = struct('drm_mode_property_enum', { value: u64, name: chars(DRM_PROP_NAME_LEN) });
export const drmModeObjGetProperties = struct('drm_mode_obj_get_properties', {
  props_ptr: u64,
  prop_values_ptr: u64,
  count_props: u32,
  obj_id: u32,
  obj_type: u32,
});
export const drmModeGetBlob = struct('drm_mode_get_blob', { blob_id: u32, length: u32, data: u64 });
export const drmModeFbCmd = struct('drm_mode_fb_cmd', {
  fb_id: u32,
  width: u32,
  height: u32,
  pitch: u32,
  bpp: u32,
  depth: u32,
  handle: u32,
});
export const drmModeFbCmd2 = struct('drm_mode_fb_cmd2', {
  fb_id: u32,
  width: u32,
  height: u32,
  pixel_format: u32,
  flags: u32,
  handles: array(u32, DRM_FORMAT_MAX_PLANES),
  pitches: array(u32, DRM_FORMAT_MAX_PLANES),
  offsets: array(u32, DRM_FORMAT_MAX_PLANES),
  modifier: array(u64, DRM_FORMAT_MAX_PLANES),
});
/** Its only field is the id, which is not a structure in the header. */
export const drmModeRmfb = struct('unsigned int', { fb_id: u32 });
export const drmModeClosefb = struct('drm_mode_closefb', { fb_id: u32, pad: u32 });
export const drmModeFbDirtyCmd = struct('drm_mode_fb_dirty_cmd', {
  fb_id: u32,
  flags: u32,
  color: u32,
  num_clips: u32,
  clips_ptr: u64,
});
/** A rectangle of DRM_IOCTL_MODE_DIRTYFB; its size is what counts. */
export const drmClipRect = struct('drm_clip_rect', { x1: u16, y1: u16, x2: u16, y2: u16 });
export const drmModeCrtcPageFlip = struct('drm_mode_crtc_page_flip', {
  crtc_id: u32,
  fb_id: u32,
  flags: u32,
  reserved: u32,
  user_data: u64,
});
export const drmModeGetPlaneRes = struct('drm_mode_get_plane_res', { plane_id_ptr: u64, count_planes: u32 });
export const drmModeGetPlane = struct('drm_mode_get_plane', {
  plane_id: u32,
  crtc_id: u32,
  fb_id: u32,
  possible_crtcs: u32,
  gamma_size: u32,
  count_format_types: u32,
  format_type_ptr: u64,
});
export const drmModeAtomic = struct('drm_mode_atomic', {
  flags: u32,
  count_objs: u32,
  objs_ptr: u64,
  count_props_ptr: u64,
  props_ptr: u64,
  prop_values_ptr: u64,
  reserved: u64,
  user_data: u64,
});
export const drmModeCreateBlob = struct('drm_mode_create_blob', { data: u64, length: u32, blob_id: u32 });
export const drmModeDestroyBlob = struct('drm_mode_destroy_blob', { blob_id: u32 });
/** What is read of a DRM file after a page flip. */
export const drmEventVblank = struct('drm_event_vblank', {
  type: u32,
  length: u32,
  user_data: u64,
  tv_sec: u32,
  tv_usec: u32,
  sequence: u32,
  crtc_id: u32,
});

/** Arrays of ids, counts and values that ioctls point to. */
export const idWord = struct('__u32', { value: u32 });
export const valueWord = struct('__u64', { value: u64 });
export const signedValueWord = struct('__s64', { value: s64 });
export const descriptorWord = struct('__s32', { value: s32 });

const B = DRM_IOCTL_BASE;
export const DRM_IOCTL_SET_CLIENT_CAP = iow('DRM_IOCTL_SET_CLIENT_CAP', B, 0x0d, drmSetClientCap);
export const DRM_IOCTL_MODE_GETRESOURCES = iowr('DRM_IOCTL_MODE_GETRESOURCES', B, 0xa0, drmModeCardRes);
export const DRM_IOCTL_MODE_GETCRTC = iowr('DRM_IOCTL_MODE_GETCRTC', B, 0xa1, drmModeCrtc);
export const DRM_IOCTL_MODE_SETCRTC = iowr('DRM_IOCTL_MODE_SETCRTC', B, 0xa2, drmModeCrtc);
export const DRM_IOCTL_MODE_GETENCODER = iowr('DRM_IOCTL_MODE_GETENCODER', B, 0xa6, drmModeGetEncoder);
export const DRM_IOCTL_MODE_GETCONNECTOR = iowr('DRM_IOCTL_MODE_GETCONNECTOR', B, 0xa7, drmModeGetConnector);
export const DRM_IOCTL_MODE_GETPROPERTY = iowr('DRM_IOCTL_MODE_GETPROPERTY', B, 0xaa, drmModeGetProperty);
export const DRM_IOCTL_MODE_GETPROPBLOB = iowr('DRM_IOCTL_MODE_GETPROPBLOB', B, 0xac, drmModeGetBlob);
export const DRM_IOCTL_MODE_GETFB = iowr('DRM_IOCTL_MODE_GETFB', B, 0xad, drmModeFbCmd);
export const DRM_IOCTL_MODE_ADDFB = iowr('DRM_IOCTL_MODE_ADDFB', B, 0xae, drmModeFbCmd);
export const DRM_IOCTL_MODE_RMFB = iowr('DRM_IOCTL_MODE_RMFB', B, 0xaf, drmModeRmfb);
export const DRM_IOCTL_MODE_PAGE_FLIP = iowr('DRM_IOCTL_MODE_PAGE_FLIP', B, 0xb0, drmModeCrtcPageFlip);
export const DRM_IOCTL_MODE_DIRTYFB = iowr('DRM_IOCTL_MODE_DIRTYFB', B, 0xb1, drmModeFbDirtyCmd);
export const DRM_IOCTL_MODE_GETPLANERESOURCES = iowr('DRM_IOCTL_MODE_GETPLANERESOURCES', B, 0xb5, drmModeGetPlaneRes);
export const DRM_IOCTL_MODE_GETPLANE = iowr('DRM_IOCTL_MODE_GETPLANE', B, 0xb6, drmModeGetPlane);
export const DRM_IOCTL_MODE_ADDFB2 = iowr('DRM_IOCTL_MODE_ADDFB2', B, 0xb8, drmModeFbCmd2);
export const DRM_IOCTL_MODE_OBJ_GETPROPERTIES = iowr(
  'DRM_IOCTL_MODE_OBJ_GETPROPERTIES',
  B,
  0xb9,
  drmModeObjGetProperties,
);
export const DRM_IOCTL_MODE_ATOMIC = iowr('DRM_IOCTL_MODE_ATOMIC', B, 0xbc, drmModeAtomic);
export const DRM_IOCTL_MODE_CREATEPROPBLOB = iowr('DRM_IOCTL_MODE_CREATEPROPBLOB', B, 0xbd, drmModeCreateBlob);
export const DRM_IOCTL_MODE_DESTROYPROPBLOB = iowr('DRM_IOCTL_MODE_DESTROYPROPBLOB', B, 0xbe, drmModeDestroyBlob);
export const DRM_IOCTL_MODE_CLOSEFB = iowr('DRM_IOCTL_MODE_CLOSEFB', B, 0xd0, drmModeClosefb);
